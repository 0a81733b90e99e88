package pixtral

import (
	"errors"
	"fmt"
	"io/fs"
	"math"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/vision"
)

// pictureConfig says how pictures are processed: preprocessor_config.json.
type pictureConfig struct {
	Size       *sizeRule `json:"size"`
	Patch      any       `json:"patch_size"` // that of tokenConfig counts
	CenterCrop *bool     `json:"do_center_crop"`
	CropSize   any       `json:"crop_size"`
	hf.PictureConfig
}

// sizeRule bounds the longest edge of a picture, or its height and its width.
type sizeRule struct {
	Longest int `json:"longest_edge"`
	Height  int `json:"height"`
	Width   int `json:"width"`
}

// tokenConfig says how a picture stands in the prompt: processor_config.json.
type tokenConfig struct {
	Patch    int    `json:"patch_size"`
	Merge    int    `json:"spatial_merge_size"`
	Image    string `json:"image_token"`
	Break    string `json:"image_break_token"` // after each row but the last
	End      string `json:"image_end_token"`   // after the last row
	Class    any    `json:"processor_class"`
	Template any    `json:"chat_template"`
	AutoMap  any    `json:"auto_map"`
}

// readProcessor reads how pictures are brought to the tower and to the prompt.
func (c *modelConfig) readProcessor(fsys fs.FS) error {
	c.Picture = pictureConfig{PictureConfig: hf.PictureConfig{ // what transformers fills in
		Resample: hf.Bicubic, RescaleFactor: 1. / 255,
		Mean: []float64{0.48145466, 0.4578275, 0.40821073}, Std: []float64{0.26862954, 0.26130258, 0.27577711},
	}}
	c.Tokens = tokenConfig{Patch: 16, Merge: 1, Image: "[IMG]", Break: "[IMG_BREAK]", End: "[IMG_END]"}
	file, err := hf.ReadProcessor(fsys, &c.Picture, &c.Tokens)
	if err != nil {
		return err
	}
	if c.Picture.Size == nil {
		c.Picture.Size = &sizeRule{Longest: 1024}
	}
	if err := c.Picture.check(); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if err := errors.Join(
		hf.Equal("patch_size", c.Tokens.Patch, "patch_size in config.json", c.Vision.PatchSize),
		hf.Require("spatial_merge_size", c.Tokens.Merge, 1),
	); err != nil {
		return fmt.Errorf("processor_config.json: %w", err)
	}
	return nil
}

func (c pictureConfig) check() error {
	bound := c.Size.bound()
	return errors.Join(
		c.PictureConfig.Check(),
		hf.Require("do_center_crop", c.CenterCrop != nil && *c.CenterCrop, false),
		hf.CheckSizes(
			hf.Size{Name: "size.longest_edge or size.height", Value: bound.Height, Limit: 1 << 14},
			hf.Size{Name: "size.longest_edge or size.width", Value: bound.Width, Limit: 1 << 14},
		),
	)
}

// bound is what a picture must fit into.
func (s sizeRule) bound() vision.Size {
	if s.Longest != 0 {
		return vision.Size{Height: s.Longest, Width: s.Longest}
	}
	return vision.Size{Height: s.Height, Width: s.Width}
}

// target is the size that a picture is brought to: shrunk to fit into the bound,
// the shape kept, and then up to whole patches.
func (s sizeRule) target(picture vision.Size, patch int) vision.Size {
	bound, h, w := s.bound(), float64(picture.Height), float64(picture.Width)
	if ratio := max(h/float64(bound.Height), w/float64(bound.Width)); ratio > 1 {
		h, w = math.Floor(h/ratio), math.Floor(w/ratio)
	}
	up := func(edge float64) int { return (int(edge) + patch - 1) / patch * patch }
	return vision.Size{Height: up(h), Width: up(w)}
}

// target is the size in which the tower looks at a picture. The paper's reference
// leaves pictures as large as they are, unless the folder names one size for all;
// what is left over of a patch at the right and the bottom is then not seen.
func (m *network) target(picture vision.Size) vision.Size {
	rule := *m.config.Picture.Size
	switch {
	case !m.paper:
		return rule.target(picture, m.config.Vision.PatchSize)
	case rule.Height > 0 && rule.Width > 0:
		return vision.Size{Height: rule.Height, Width: rule.Width}
	}
	return picture
}

// process brings pictures [B, height, width, 3] to the numbers that the tower reads.
func (m *network) process(image *Node) *Node {
	d := image.Shape().Dimensions
	size := m.target(vision.Size{Height: d[1], Width: d[2]})
	if m.paper {
		return vision.ProcessPaper(image, size, m.config.Picture.PictureConfig)
	}
	return vision.Process(image, size, m.config.Picture.PictureConfig)
}
