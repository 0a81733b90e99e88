package hf

import (
	"encoding/json"
	"errors"
	"io/fs"
	"math"
)

// PIL's numbers of the filters that the library resizes by.
const (
	Lanczos  = 1
	Bilinear = 2
	Bicubic  = 3
)

// PictureConfig are the fields that the image processors of transformers share:
// how a picture is brought to the numbers that a vision tower reads. A model's own
// configuration embeds it beside its own "size".
type PictureConfig struct {
	Resample      int       `json:"resample"`       // Bilinear or Bicubic, or what else the model's own may be
	Mean          []float64 `json:"image_mean"`     // per colour
	Std           []float64 `json:"image_std"`      // per colour
	RescaleFactor float64   `json:"rescale_factor"` // 1/255: pictures here are in [0, 1] already
	Resize        *bool     `json:"do_resize"`      // these three: nil = true
	Rescale       *bool     `json:"do_rescale"`
	Normalize     *bool     `json:"do_normalize"`

	Type       any `json:"image_processor_type"`
	OldType    any `json:"feature_extractor_type"`
	Class      any `json:"processor_class"`
	AutoMap    any `json:"auto_map"`
	ConvertRGB any `json:"do_convert_rgb"` // pictures are RGB here
	Pad        any `json:"do_pad"`         // to the largest picture of a batch, and ours are of one size
	PadSize    any `json:"pad_size"`
	Square     any `json:"default_to_square"`
	DataFormat any `json:"data_format"`
	InFormat   any `json:"input_data_format"`
	Device     any `json:"device"`
	Grouping   any `json:"disable_grouping"`
	Tensors    any `json:"return_tensors"`
	NameOrPath any `json:"_name_or_path"`
	Keys       any `json:"_valid_processor_keys"`
}

// Check names the first field whose value makes no sense or is not supported. filters
// are those that the model has besides Bilinear and Bicubic.
func (c PictureConfig) Check(filters ...int) error {
	on := func(field *bool) bool { return field == nil || *field }
	err := errors.Join(
		Require("do_resize", on(c.Resize), true),
		Require("do_rescale", on(c.Rescale), true),
		Require("do_normalize", on(c.Normalize), true),
		Require("resample", c.Resample, append([]int{Bilinear, Bicubic}, filters...)...),
		Check(math.Abs(255*c.RescaleFactor-1) < 1e-6, "rescale_factor is %v, supported: 1/255", c.RescaleFactor),
		Check(len(c.Mean) == 3, "image_mean is %v, want three numbers", c.Mean),
		Check(len(c.Std) == 3, "image_std is %v, want three numbers", c.Std),
	)
	for i, mean := range c.Mean {
		err = errors.Join(err, Check(math.Abs(mean) < 1e3, "image_mean[%d] is %v, which is no colour", i, mean))
	}
	for i, std := range c.Std {
		err = errors.Join(err, Check(std > 1e-6 && std < 1e3, "image_std[%d] is %v, want a positive number", i, std))
	}
	return err
}

// ReadProcessor reads how a folder wants its pictures processed into picture, and
// what processor_config.json says besides into processor; both are pointers to
// structs that hold the defaults. Version 5 of transformers writes all into
// processor_config.json, the picture's part as "image_processor"; version 4 writes
// that part as preprocessor_config.json, and the other file not always. It returns
// the name of the file that has the picture's part.
func ReadProcessor(fsys fs.FS, picture, processor any) (string, error) {
	const newer, older, part = "processor_config.json", "preprocessor_config.json", "image_processor"
	var fields map[string]json.RawMessage
	if err := ReadConfig(fsys, newer, &fields); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return newer, err
	}
	nested := fields[part]
	delete(fields, part)
	rest, err := json.Marshal(fields)
	if err != nil {
		return newer, Within(newer, err)
	}
	if err := Decode(rest, processor); err != nil {
		return newer, Within(newer, err)
	}
	if Null(nested) {
		return older, ReadConfig(fsys, older, picture)
	}
	return newer, Within(newer, Within(part, Decode(nested, picture)))
}
