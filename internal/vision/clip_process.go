package vision

import (
	"encoding/json"
	"errors"

	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// CLIPPictures says how pictures are brought to CLIP's tower. The fields are those
// of transformers' CLIPImageProcessor.
type CLIPPictures struct {
	Size       Edges `json:"size"`           // of the shorter side
	Crop       Edges `json:"crop_size"`      // of the square in the middle
	CenterCrop *bool `json:"do_center_crop"` // nil = true
	hf.PictureConfig
}

// DefaultCLIPPictures is what transformers fills in.
func DefaultCLIPPictures() CLIPPictures {
	return CLIPPictures{
		Size: Edges{Shortest: 224}, Crop: Edges{Height: 224, Width: 224},
		PictureConfig: hf.PictureConfig{
			Resample: hf.Bicubic, RescaleFactor: 1. / 255,
			Mean: []float64{0.48145466, 0.4578275, 0.40821073}, Std: []float64{0.26862954, 0.26130258, 0.27577711},
		},
	}
}

// Edges are a size in a configuration: the shorter side, or height and width, or,
// as in old files, a number that is the shorter side or both.
type Edges struct {
	Shortest, Height, Width int
}

// UnmarshalJSON implements json.Unmarshaler.
func (e *Edges) UnmarshalJSON(data []byte) error {
	var one int
	if json.Unmarshal(data, &one) == nil {
		*e = Edges{one, one, one}
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
	*e = Edges(fields)
	return nil
}

// CheckFor names the first field that makes no sense, or not for the tower.
func (c CLIPPictures) CheckFor(tower CLIPConfig) error {
	return errors.Join(
		c.Check(),
		hf.Require("do_center_crop", c.CenterCrop == nil || *c.CenterCrop, true),
		// The tower has a position for each patch and cannot do with more or fewer.
		hf.Equal("crop_size.height in patches", c.Crop.Height/tower.PatchSize, "the tower's image_size", tower.Side()),
		hf.Equal("crop_size.width in patches", c.Crop.Width/tower.PatchSize, "the tower's image_size", tower.Side()),
		hf.Check(c.Size.Shortest >= max(c.Crop.Height, c.Crop.Width), "size.shortest_edge is %d, less than crop_size, %s", c.Size.Shortest, c.Square()),
		hf.CheckSizes(hf.Size{Name: "size.shortest_edge", Value: c.Size.Shortest, Limit: 1 << 14}),
	)
}

// Square is the size of the middle that the tower reads.
func (c CLIPPictures) Square() Size { return Size{Height: c.Crop.Height, Width: c.Crop.Width} }

// Target is the size that a picture is brought to before the crop: its shorter
// side becomes c.Size's, and the longer one keeps the ratio but for a fraction of
// a pixel.
func (c CLIPPictures) Target(picture Size) Size {
	short, long := min(picture.Height, picture.Width), max(picture.Height, picture.Width)
	longer := c.Size.Shortest * long / short
	if picture.Height > picture.Width {
		return Size{Height: longer, Width: c.Size.Shortest}
	}
	return Size{Height: c.Size.Shortest, Width: longer}
}
