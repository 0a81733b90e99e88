package gemma3

import (
	"errors"
	"fmt"
	"io/fs"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/vision"
)

// pictureConfig says how pictures are brought to the tower. The fields are those
// of transformers' Gemma3ImageProcessor.
type pictureConfig struct {
	Size struct {
		Height int `json:"height"`
		Width  int `json:"width"`
	} `json:"size"`
	PanAndScan *bool `json:"do_pan_and_scan"` // cuts long pictures up, which is off by default
	CenterCrop *bool `json:"do_center_crop"`

	Tokens   any `json:"image_seq_length"` // processor_config.json's counts
	MinCrop  any `json:"pan_and_scan_min_crop_size"`
	MaxCrops any `json:"pan_and_scan_max_num_crops"`
	MinRatio any `json:"pan_and_scan_min_ratio_to_activate"`
	CropSize any `json:"crop_size"`
	hf.PictureConfig
}

// readProcessor reads how pictures are processed, with transformers' defaults.
func (c *modelConfig) readProcessor(fsys fs.FS) error {
	c.Picture.Size.Height, c.Picture.Size.Width = 224, 224
	c.Picture.Resample, c.Picture.RescaleFactor = hf.Bilinear, 1./255
	c.Picture.Mean, c.Picture.Std = []float64{0.5, 0.5, 0.5}, []float64{0.5, 0.5, 0.5}
	processor := struct {
		Tokens   int `json:"image_seq_length"` // that the processor makes of a picture
		Class    any `json:"processor_class"`
		Template any `json:"chat_template"` // see prompt.go
	}{Tokens: 256}
	file, err := hf.ReadProcessor(fsys, &c.Picture, &processor)
	if err != nil {
		return err
	}
	if err := hf.Equal("image_seq_length", processor.Tokens, "mm_tokens_per_image in config.json", c.ImageTokens); err != nil {
		return fmt.Errorf("processor_config.json: %w", err)
	}
	if err := c.Picture.check(c.Vision); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

func (c pictureConfig) check(tower visionConfig) error {
	return errors.Join(
		c.Check(),
		hf.Require("do_pan_and_scan", c.PanAndScan != nil && *c.PanAndScan, false),
		hf.Require("do_center_crop", c.CenterCrop != nil && *c.CenterCrop, false),
		// The tower has a position for each patch and cannot do with more or fewer.
		hf.Equal("size.height in patches", c.Size.Height/tower.PatchSize, "the tower's image_size", tower.patches()),
		hf.Equal("size.width in patches", c.Size.Width/tower.PatchSize, "the tower's image_size", tower.patches()),
	)
}

// size is that of the pictures that the tower reads.
func (c pictureConfig) size() vision.Size {
	return vision.Size{Height: c.Size.Height, Width: c.Size.Width}
}

// process brings pictures [B, height, width, 3] to the numbers that the tower reads.
// Their ratio of sides is not kept.
func (m *network) process(image *Node) *Node {
	c := m.config.Picture
	if m.paper {
		return vision.Normalize(vision.Resize(vision.Stretch(image), c.size(), vision.Filter{Kernel: vision.Bilinear}), c.Mean, c.Std)
	}
	return vision.Process(image, c.size(), c.PictureConfig)
}
