package vision

import (
	"errors"
	"io/fs"
	"math"

	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// PixtralPictures says how pictures are brought to Pixtral's tower:
// preprocessor_config.json.
type PixtralPictures struct {
	Size       *PixtralSize `json:"size"`
	Patch      any          `json:"patch_size"` // that of PixtralTokens counts
	CenterCrop *bool        `json:"do_center_crop"`
	CropSize   any          `json:"crop_size"`
	hf.PictureConfig
}

// PixtralSize bounds the longest edge of a picture, or its height and its width.
type PixtralSize struct {
	Longest int `json:"longest_edge"`
	Height  int `json:"height"`
	Width   int `json:"width"`
}

// PixtralTokens says how a picture stands in the prompt: processor_config.json.
type PixtralTokens struct {
	Patch    int    `json:"patch_size"`
	Merge    int    `json:"spatial_merge_size"`
	Image    string `json:"image_token"`
	Break    string `json:"image_break_token"` // after each row but the last
	End      string `json:"image_end_token"`   // after the last row
	Class    any    `json:"processor_class"`
	Template any    `json:"chat_template"`
	AutoMap  any    `json:"auto_map"`
}

// ReadPixtralProcessor reads how pictures are brought to the tower and to the prompt,
// and compares it with the sizes in config.json: patches of so many pixels, of which
// squares of merge a side become one vector.
func ReadPixtralProcessor(fsys fs.FS, patch, merge int) (PixtralPictures, PixtralTokens, error) {
	pictures := PixtralPictures{PictureConfig: hf.PictureConfig{ // what transformers fills in
		Resample: hf.Bicubic, RescaleFactor: 1. / 255,
		Mean: []float64{0.48145466, 0.4578275, 0.40821073}, Std: []float64{0.26862954, 0.26130258, 0.27577711},
	}}
	tokens := PixtralTokens{Patch: 16, Merge: 1, Image: "[IMG]", Break: "[IMG_BREAK]", End: "[IMG_END]"}
	file, err := hf.ReadProcessor(fsys, &pictures, &tokens)
	if err != nil {
		return pictures, tokens, err
	}
	if pictures.Size == nil {
		pictures.Size = &PixtralSize{Longest: 1024}
	}
	if err := pictures.check(); err != nil {
		return pictures, tokens, hf.Within(file, err)
	}
	return pictures, tokens, hf.Within("processor_config.json", errors.Join(
		hf.Equal("patch_size", tokens.Patch, "patch_size in config.json", patch),
		hf.Require("spatial_merge_size", tokens.Merge, merge),
	))
}

func (c PixtralPictures) check() error {
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
func (s PixtralSize) bound() Size {
	if s.Longest != 0 {
		return Size{Height: s.Longest, Width: s.Longest}
	}
	return Size{Height: s.Height, Width: s.Width}
}

// Target is the size that a picture is brought to: shrunk to fit into the bound, the
// shape kept, and then up to whole squares of unit pixels. Of an elongated picture
// nothing may be left.
func (s PixtralSize) Target(picture Size, unit int) Size {
	bound, h, w := s.bound(), float64(picture.Height), float64(picture.Width)
	if ratio := max(h/float64(bound.Height), w/float64(bound.Width)); ratio > 1 {
		h, w = math.Floor(h/ratio), math.Floor(w/ratio)
	}
	up := func(edge float64) int { return (int(edge) + unit - 1) / unit * unit }
	return Size{Height: up(h), Width: up(w)}
}
