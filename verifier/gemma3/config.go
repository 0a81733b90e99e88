package gemma3

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"

	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
)

// Architecture names Gemma 3 with its vision tower in config.json.
const Architecture = "Gemma3ForConditionalGeneration"

// textType is the model_type of the language models that have eyes.
const textType = "gemma3_text"

// Config of a Gemma 3 verifier: the JSON files of its folder, as transformers 4.50
// to 5.23 write them. What the files leave out, as those of the real checkpoints do
// with most, is filled in as transformers does.
type Config struct {
	Text        decoder.Config
	Vision      VisionConfig
	Picture     PictureConfig
	ImageTokens int // that a picture becomes, a square number
	Begin, End  int // ids of the tokens around a picture's
	Soft        int // id of a picture's own tokens, whose places its features take
}

// VisionConfig sizes the SigLIP tower. The fields are those of transformers'
// config.json.
type VisionConfig struct {
	ModelType    string  `json:"model_type"`
	Hidden       int     `json:"hidden_size"`
	Intermediate int     `json:"intermediate_size"`
	Layers       int     `json:"num_hidden_layers"`
	Heads        int     `json:"num_attention_heads"`
	Channels     int     `json:"num_channels"`
	ImageSize    int     `json:"image_size"` // in pixels, a side
	PatchSize    int     `json:"patch_size"`
	Activation   string  `json:"hidden_act"`
	Epsilon      float64 `json:"layer_norm_eps"`

	Head any `json:"vision_use_head"` // of a classifier, which Gemma has no use for
	hf.Pretrained
}

// PictureConfig says how pictures are brought to the tower. The fields are those
// of transformers' Gemma3ImageProcessor.
type PictureConfig struct {
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

// modelFile is config.json.
type modelFile struct {
	Architectures []string        `json:"architectures"`
	ModelType     string          `json:"model_type"`
	Text          json.RawMessage `json:"text_config"`
	Vision        VisionConfig    `json:"vision_config"`
	ImageTokens   int             `json:"mm_tokens_per_image"`
	Begin         int             `json:"boi_token_index"`
	End           int             `json:"eoi_token_index"`
	Soft          int             `json:"image_token_index"`
	Tied          json.RawMessage `json:"tie_word_embeddings"`
	hf.Pretrained
}

// ReadConfig reads the JSON files of a Gemma 3 folder. Errors name the file and the
// field; those about a value wrap hf.ErrConfig.
func ReadConfig(fsys fs.FS) (Config, error) {
	const name = "config.json"
	f := modelFile{ // what transformers fills in
		ModelType: "gemma3", ImageTokens: 256, Begin: 255_999, End: 256_000, Soft: 262_144,
		Vision: VisionConfig{
			ModelType: "siglip_vision_model", Hidden: 768, Intermediate: 3072, Layers: 12, Heads: 12, Channels: 3,
			ImageSize: 224, PatchSize: 16, Activation: "gelu_pytorch_tanh", Epsilon: 1e-6,
		},
	}
	if err := hf.ReadConfig(fsys, name, &f); err != nil {
		return Config{}, err
	}
	c := Config{Vision: f.Vision, ImageTokens: f.ImageTokens, Begin: f.Begin, End: f.End, Soft: f.Soft}
	err := f.check()
	if err == nil {
		c.Text, err = vlm.TextConfig(f.Text, f.Tied, textType, textType)
	}
	if err == nil {
		err = c.check()
	}
	if err != nil {
		return c, fmt.Errorf("%s: %w", name, err)
	}
	return c, c.readProcessor(fsys)
}

func (f modelFile) check() error {
	return errors.Join(
		hf.CheckArchitecture(f.Architectures, Architecture),
		hf.Require("model_type", f.ModelType, "gemma3"),
		f.Pretrained.Check(),
		f.Vision.check(),
		hf.CheckSizes(hf.Size{Name: "mm_tokens_per_image", Value: f.ImageTokens, Limit: 1 << 16}),
	)
}

func (c VisionConfig) check() error {
	_, err := c.encoder()
	return hf.Within("vision_config", errors.Join(err,
		hf.Require("model_type", c.ModelType, "siglip_vision_model"),
		c.Pretrained.Check(),
		vision.TowerConfig{
			Hidden: c.Hidden, Intermediate: c.Intermediate, Layers: c.Layers, Heads: c.Heads, Channels: c.Channels,
			ImageSize: c.ImageSize, PatchSize: c.PatchSize, Epsilon: c.Epsilon,
		}.Check(),
	))
}

// patches is how many there are along a side of the picture that the tower sees.
func (c VisionConfig) patches() int { return c.ImageSize / c.PatchSize }

// window is the side, in patches, of the squares that become one token each.
func (c Config) window() int { return c.Vision.patches() / int(math.Sqrt(float64(c.ImageTokens))) }

// check compares the parts with each other.
func (c Config) check() error {
	for name, id := range map[string]int{"boi_token_index": c.Begin, "eoi_token_index": c.End, "image_token_index": c.Soft} {
		if id < 0 || id >= c.Text.Vocabulary {
			return fmt.Errorf("%w: %s is %d, the vocabulary has %d", hf.ErrConfig, name, id, c.Text.Vocabulary)
		}
	}
	patches, window := c.Vision.patches(), c.window()
	if window == 0 || (patches/window)*(patches/window) != c.ImageTokens {
		return fmt.Errorf("%w: mm_tokens_per_image is %d, which %d x %d patches can't be pooled to", hf.ErrConfig, c.ImageTokens, patches, patches)
	}
	return nil
}

// readProcessor reads how pictures are processed, with transformers' defaults.
func (c *Config) readProcessor(fsys fs.FS) error {
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

func (c PictureConfig) check(tower VisionConfig) error {
	return errors.Join(
		c.Check(),
		hf.Require("do_pan_and_scan", c.PanAndScan != nil && *c.PanAndScan, false),
		hf.Require("do_center_crop", c.CenterCrop != nil && *c.CenterCrop, false),
		// The tower has a place for each patch and cannot do with more or fewer.
		hf.Equal("size.height in patches", c.Size.Height/tower.PatchSize, "the tower's image_size", tower.patches()),
		hf.Equal("size.width in patches", c.Size.Width/tower.PatchSize, "the tower's image_size", tower.patches()),
	)
}
