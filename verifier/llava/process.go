package llava

import (
	"errors"
	"fmt"
	"io/fs"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
)

// readProcessor reads how pictures are processed, with transformers' defaults.
func (c *modelConfig) readProcessor(fsys fs.FS) error {
	c.Picture = vision.DefaultCLIPPictures()
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
	if err := c.Picture.CheckFor(c.Vision); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
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
		return vision.ProcessPaper(image, c.Square(), c.PictureConfig)
	}
	return vision.ProcessCrop(image, c.Target(vision.Size{Height: d[1], Width: d[2]}), c.Square(), c.PictureConfig)
}
