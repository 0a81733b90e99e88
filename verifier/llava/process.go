package llava

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
)

// pictureConfig says how pictures are brought to the tower. The fields are those
// of transformers' CLIPImageProcessor.
type pictureConfig struct {
	Size       edges `json:"size"`           // of the shorter side
	Crop       edges `json:"crop_size"`      // of the square in the middle
	CenterCrop *bool `json:"do_center_crop"` // nil = true
	hf.PictureConfig
}

// edges are a size in a configuration: the shorter side, or height and width, or,
// as in old files, a number that is the shorter side or both.
type edges struct {
	Shortest, Height, Width int
}

// UnmarshalJSON implements json.Unmarshaler.
func (e *edges) UnmarshalJSON(data []byte) error {
	var one int
	if json.Unmarshal(data, &one) == nil {
		*e = edges{one, one, one}
		return nil
	}
	var fields struct {
		Shortest int `json:"shortest_edge"`
		Height   int `json:"height"`
		Width    int `json:"width"`
	}
	if err := hf.Decode(data, &fields); err != nil {
		return err
	}
	*e = edges(fields)
	return nil
}

// readProcessor reads how pictures are processed, with transformers' defaults.
func (c *modelConfig) readProcessor(fsys fs.FS) error {
	c.Picture = pictureConfig{
		Size: edges{Shortest: 224}, Crop: edges{Height: 224, Width: 224},
		PictureConfig: hf.PictureConfig{
			Resample: hf.Bicubic, RescaleFactor: 1. / 255,
			Mean: []float64{0.48145466, 0.4578275, 0.40821073}, Std: []float64{0.26862954, 0.26130258, 0.27577711},
		},
	}
	var processor struct {
		PatchSize  *int    `json:"patch_size"`
		Strategy   *string `json:"vision_feature_select_strategy"`
		Additional any     `json:"num_additional_image_tokens"` // the class token, which the tower has
		ImageToken *string `json:"image_token"`
		Class      any     `json:"processor_class"`
		Template   any     `json:"chat_template"` // see prompt.go
	}
	file, err := hf.ReadProcessor(fsys, &c.Picture, &processor)
	if err != nil {
		return err
	}
	strategy := "default"
	if c.ClassToken {
		strategy = "full"
	}
	if err := errors.Join(
		hf.EqualIfGiven("patch_size", processor.PatchSize, "patch_size in config.json", c.Vision.PatchSize),
		hf.EqualIfGiven("vision_feature_select_strategy", processor.Strategy, "that in config.json", strategy),
		hf.EqualIfGiven("image_token", processor.ImageToken, "the model's", imageToken),
	); err != nil {
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
		hf.Require("do_center_crop", c.CenterCrop == nil || *c.CenterCrop, true),
		// The tower has a position for each patch and cannot do with more or fewer.
		hf.Equal("crop_size.height in patches", c.Crop.Height/tower.PatchSize, "the tower's image_size", tower.patches()),
		hf.Equal("crop_size.width in patches", c.Crop.Width/tower.PatchSize, "the tower's image_size", tower.patches()),
		hf.Check(c.Size.Shortest >= max(c.Crop.Height, c.Crop.Width), "size.shortest_edge is %d, less than crop_size, %s", c.Size.Shortest, c.crop()),
		hf.CheckSizes(hf.Size{Name: "size.shortest_edge", Value: c.Size.Shortest, Limit: 1 << 14}),
	)
}

func (c pictureConfig) crop() vision.Size {
	return vision.Size{Height: c.Crop.Height, Width: c.Crop.Width}
}

// target is the size that a picture is brought to before the crop: its shorter
// side becomes c.Size's, and the longer one keeps the ratio but for a fraction of
// a pixel.
func (c pictureConfig) target(picture vision.Size) vision.Size {
	short, long := min(picture.Height, picture.Width), max(picture.Height, picture.Width)
	longer := c.Size.Shortest * long / short
	if picture.Height > picture.Width {
		return vision.Size{Height: longer, Width: c.Size.Shortest}
	}
	return vision.Size{Height: c.Size.Shortest, Width: longer}
}

// checkPicture refuses what cannot be a picture.
func checkPicture(size vision.Size) error {
	if max(size.Height, size.Width) > vlm.LongestSide {
		return fmt.Errorf("%w: %s, want at most %d pixels a side", vlm.ErrPictureSize, size, vlm.LongestSide)
	}
	return nil
}

// process brings pictures [B, height, width, 3] to the numbers that the tower
// reads. The paper's reference does not crop: its pictures lose their ratio of
// sides instead.
func (m *network) process(image *Node) *Node {
	c, d := m.config.Picture, image.Shape().Dimensions
	if m.paper {
		return vision.ProcessPaper(image, c.crop(), c.PictureConfig)
	}
	return vision.ProcessCrop(image, c.target(vision.Size{Height: d[1], Width: d[2]}), c.crop(), c.PictureConfig)
}
