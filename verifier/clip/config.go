package clip

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/text"
	"github.com/dualprocess/dualprocess-go/internal/vision"
)

// modelConfig of a CLIP: the JSON files of its folder.
type modelConfig struct {
	Text       *text.CLIPConfig // nil of a vision tower alone
	Vision     vision.CLIPConfig
	Pictures   vision.CLIPPictures
	Projection int // width of what the two towers have in common
}

// modelFile is config.json of both towers.
type modelFile struct {
	Architectures []string        `json:"architectures"`
	Text          json.RawMessage `json:"text_config"`
	Vision        json.RawMessage `json:"vision_config"`
	TextDict      json.RawMessage `json:"text_config_dict"` // of old versions of transformers; where given it counts
	VisionDict    json.RawMessage `json:"vision_config_dict"`
	Projection    int             `json:"projection_dim"`

	LogitScale any `json:"logit_scale_init_value"` // is a parameter, of the loss that trained the towers
	hf.Pretrained
}

// readConfig reads the JSON files of a folder. Errors name the file and the field;
// those about a value wrap hf.ErrConfig.
func readConfig(fsys fs.FS) (modelConfig, error) {
	var data json.RawMessage
	if err := hf.ReadConfig(fsys, configFile, &data); err != nil {
		return modelConfig{}, err
	}
	c, err := parseConfig(data)
	if err != nil {
		return c, hf.Within(configFile, err)
	}
	return c, c.readProcessor(fsys)
}

const configFile = "config.json"

func parseConfig(data json.RawMessage) (modelConfig, error) {
	var kind struct {
		ModelType string `json:"model_type"`
	}
	if err := json.Unmarshal(data, &kind); err != nil {
		return modelConfig{}, err
	}
	switch kind.ModelType {
	case vision.CLIPModelType:
		return parseTower(data)
	case "clip":
		return parseBoth(data)
	}
	return modelConfig{}, hf.Require("model_type", kind.ModelType, "clip", vision.CLIPModelType)
}

// parseTower reads the configuration of a vision tower with its projection.
func parseTower(data json.RawMessage) (modelConfig, error) {
	var kind struct {
		Architectures []string `json:"architectures"`
	}
	if err := json.Unmarshal(data, &kind); err != nil {
		return modelConfig{}, err
	}
	tower, err := vision.DecodeCLIPConfig(data)
	return modelConfig{Vision: tower, Projection: tower.Projection}, errors.Join(err,
		hf.CheckArchitecture(kind.Architectures, "CLIPVisionModelWithProjection"), checkProjection(tower.Projection))
}

func parseBoth(data json.RawMessage) (modelConfig, error) {
	f := modelFile{Projection: 512} // what transformers fills in
	err := hf.Decode(data, &f)
	c := modelConfig{Projection: f.Projection}
	if err == nil {
		err = errors.Join(hf.CheckArchitecture(f.Architectures, "CLIPModel"), f.Pretrained.Check(), checkProjection(f.Projection))
	}
	if err != nil {
		return c, err
	}
	if c.Vision, err = vision.DecodeCLIPConfig(part(f.Vision, f.VisionDict)); err != nil {
		return c, hf.Within("vision_config", err)
	}
	encoder, err := text.DecodeCLIPConfig(part(f.Text, f.TextDict))
	c.Text = &encoder
	return c, hf.Within("text_config", err)
}

// part returns the configuration that counts of the two that a part may have.
func part(config, dict json.RawMessage) json.RawMessage {
	switch {
	case !hf.Null(dict):
		return dict
	case !hf.Null(config):
		return config
	}
	return json.RawMessage("{}") // all as transformers fills it in
}

func checkProjection(width int) error {
	return hf.CheckSizes(hf.Size{Name: "projection_dim", Value: width, Limit: 1 << 16})
}

// readProcessor reads how pictures are processed, with transformers' defaults.
func (c *modelConfig) readProcessor(fsys fs.FS) error {
	c.Pictures = vision.DefaultCLIPPictures()
	var processor struct {
		Class any `json:"processor_class"`
	}
	file, err := hf.ReadProcessor(fsys, &c.Pictures, &processor)
	if err != nil {
		return err
	}
	if err := c.Pictures.CheckFor(c.Vision); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}
