package gemma3

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"

	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// PictureConfig says how pictures are brought to the tower: the fields of
// preprocessor_config.json, or of "image_processor" in version 5's
// processor_config.json.
type PictureConfig struct {
	Size struct {
		Height int `json:"height"`
		Width  int `json:"width"`
	} `json:"size"`
	Resample      int       `json:"resample"` // PIL's number of a filter
	Mean          []float64 `json:"image_mean"`
	Std           []float64 `json:"image_std"`
	RescaleFactor float64   `json:"rescale_factor"`
	Resize        bool      `json:"do_resize"`
	Rescale       bool      `json:"do_rescale"`
	Normalize     bool      `json:"do_normalize"`
	PanAndScan    *bool     `json:"do_pan_and_scan"`
	CenterCrop    *bool     `json:"do_center_crop"`
	Pad           *bool     `json:"do_pad"`

	Class      any `json:"image_processor_type"`
	OldClass   any `json:"feature_extractor_type"`
	Processor  any `json:"processor_class"`
	ConvertRGB any `json:"do_convert_rgb"` // pictures are RGB here
	Tokens     any `json:"image_seq_length"`
	MinCrop    any `json:"pan_and_scan_min_crop_size"`
	MaxCrops   any `json:"pan_and_scan_max_num_crops"`
	MinRatio   any `json:"pan_and_scan_min_ratio_to_activate"`
	CropSize   any `json:"crop_size"`
	PadSize    any `json:"pad_size"`
	Square     any `json:"default_to_square"`
	DataFormat any `json:"data_format"`
	InFormat   any `json:"input_data_format"`
	Device     any `json:"device"`
	Grouping   any `json:"disable_grouping"`
	Tensors    any `json:"return_tensors"`
}

// PIL's numbers of the filters that the library has.
const (
	bilinear = 2
	bicubic  = 3
)

// defaultPicture is what transformers fills in.
func defaultPicture() PictureConfig {
	half := []float64{0.5, 0.5, 0.5}
	c := PictureConfig{Resample: bilinear, Mean: half, Std: half, RescaleFactor: 1. / 255, Resize: true, Rescale: true, Normalize: true}
	c.Size.Height, c.Size.Width = 224, 224
	return c
}

// processorConfig is processor_config.json.
type processorConfig struct {
	Picture *PictureConfig `json:"image_processor"`
	Tokens  int            `json:"image_seq_length"`
	Class   any            `json:"processor_class"`
}

// readProcessor reads how pictures are processed, from the files of either
// version of transformers; the nested one goes first, as in version 5.
func (c *Config) readProcessor(fsys fs.FS) error {
	const newer, older = "processor_config.json", "preprocessor_config.json"
	file, p := newer, processorConfig{Picture: &c.Picture, Tokens: 256}
	var fields map[string]json.RawMessage
	err := weights.ReadConfig(fsys, newer, &fields)
	if err == nil {
		err = weights.ReadConfig(fsys, newer, &p)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := weights.Require("image_seq_length", p.Tokens, c.ImageTokens); err != nil {
		return fmt.Errorf("%s: %w", newer, err)
	}
	if fields["image_processor"] == nil || p.Picture == nil {
		file = older
		if err := weights.ReadConfig(fsys, file, &c.Picture); err != nil {
			return err
		}
	}
	if err := c.Picture.check(c.Vision); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

func (c PictureConfig) check(tower VisionConfig) error {
	err := errors.Join(
		weights.Require("do_resize", c.Resize, true),
		weights.Require("do_rescale", c.Rescale, true),
		weights.Require("do_normalize", c.Normalize, true),
		weights.Require("do_pan_and_scan", c.PanAndScan != nil && *c.PanAndScan, false),
		weights.Require("do_center_crop", c.CenterCrop != nil && *c.CenterCrop, false),
		weights.Require("do_pad", c.Pad != nil && *c.Pad, false),
		weights.Require("resample", c.Resample, bilinear, bicubic),
		weights.Require("rescale_factor is 1/255", math.Abs(255*c.RescaleFactor-1) < 1e-6, true),
		weights.Require("length of image_mean", len(c.Mean), 3),
		weights.Require("length of image_std", len(c.Std), 3),
		// The tower has a place for each patch and cannot do with more or fewer.
		weights.Require("size.height in patches", c.Size.Height/tower.PatchSize, tower.ImageSize/tower.PatchSize),
		weights.Require("size.width in patches", c.Size.Width/tower.PatchSize, tower.ImageSize/tower.PatchSize),
	)
	for i, mean := range c.Mean {
		err = errors.Join(err, between(fmt.Sprintf("image_mean[%d]", i), mean, -1e3, 1e3))
	}
	for i, std := range c.Std {
		err = errors.Join(err, between(fmt.Sprintf("image_std[%d]", i), std, 0, 1e3))
	}
	return err
}
