package idefics2

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
)

// Architecture names Idefics2 in config.json.
const Architecture = "Idefics2ForConditionalGeneration"

// Config of an Idefics2 verifier: the JSON files of its folder.
type Config struct {
	Text       decoder.Config // text_config: a Mistral
	Vision     VisionConfig
	Resampler  ResamplerConfig
	Picture    PictureConfig
	ImageToken int // whose places the picture's vectors take
}

// VisionConfig sizes the vision tower, a SigLIP that takes pictures of any shape:
// vision_config.
type VisionConfig struct {
	ModelType    string  `json:"model_type"`
	Hidden       int     `json:"hidden_size"`
	Intermediate int     `json:"intermediate_size"`
	Layers       int     `json:"num_hidden_layers"`
	Heads        int     `json:"num_attention_heads"`
	Channels     int     `json:"num_channels"`
	ImageSize    int     `json:"image_size"` // pixels a side of the grid that positions are learnt on
	PatchSize    int     `json:"patch_size"`
	Activation   string  `json:"hidden_act"`
	Epsilon      float64 `json:"layer_norm_eps"`
	hf.Pretrained
}

// side is the number of positions along one side.
func (c VisionConfig) side() int { return c.ImageSize / c.PatchSize }

// ResamplerConfig sizes what sums a picture up in a fixed number of vectors:
// perceiver_config.
type ResamplerConfig struct {
	Hidden     int     `json:"hidden_size"`
	Latents    int     `json:"resampler_n_latents"` // vectors per picture
	Layers     int     `json:"resampler_depth"`
	Heads      int     `json:"resampler_n_heads"`
	KVHeads    int     `json:"num_key_value_heads"`
	HeadDim    int     `json:"resampler_head_dim"`
	Activation string  `json:"hidden_act"`
	Epsilon    float64 `json:"rms_norm_eps"`
	hf.Pretrained
}

// PictureConfig says how pictures are processed: preprocessor_config.json.
type PictureConfig struct {
	Size      *SizeRule `json:"size"`
	Splitting any       `json:"do_image_splitting"` // Options.Split decides
	hf.PictureConfig
}

// SizeRule bounds both edges of a picture, or names its height and width.
type SizeRule struct {
	Shortest int `json:"shortest_edge"`
	Longest  int `json:"longest_edge"`
	Height   int `json:"height"`
	Width    int `json:"width"`
}

// modelFile is config.json.
type modelFile struct {
	Architectures []string        `json:"architectures"`
	ModelType     string          `json:"model_type"`
	ImageToken    int             `json:"image_token_id"`
	Tied          json.RawMessage `json:"tie_word_embeddings"`
	Text          json.RawMessage `json:"text_config"`
	Vision        VisionConfig    `json:"vision_config"`
	Resampler     ResamplerConfig `json:"perceiver_config"`
	hf.Pretrained
}

// processorFile is processor_config.json.
type processorFile struct {
	ImageTokens int `json:"image_seq_len"`
	Class       any `json:"processor_class"`
	Template    any `json:"chat_template"`
	AutoMap     any `json:"auto_map"`
}

// ReadConfig reads the JSON files of an Idefics2 folder, of versions 4 and 5 of
// transformers. Errors name the file and the field; those about a value wrap
// hf.ErrConfig.
func ReadConfig(fsys fs.FS) (Config, error) {
	const file = "config.json"
	f := modelFile{ // what transformers fills in
		ModelType: "idefics2", ImageToken: 32001,
		Vision: VisionConfig{
			ModelType: "idefics2_vision", Hidden: 768, Intermediate: 3072, Layers: 12, Heads: 12, Channels: 3, ImageSize: 224, PatchSize: 32,
			Activation: "gelu_pytorch_tanh", Epsilon: 1e-6,
		},
		Resampler: ResamplerConfig{
			Hidden: 4096, Latents: 64, Layers: 3, Heads: 16, KVHeads: 4, HeadDim: 96, Activation: "silu", Epsilon: 1e-6,
		},
	}
	if err := hf.ReadConfig(fsys, file, &f); err != nil {
		return Config{}, err
	}
	c := Config{Vision: f.Vision, Resampler: f.Resampler, ImageToken: f.ImageToken}
	err := f.check()
	if err == nil {
		c.Text, err = f.text()
	}
	if err == nil {
		err = c.join()
	}
	if err != nil {
		return c, fmt.Errorf("%s: %w", file, err)
	}
	return c, c.readProcessor(fsys)
}

// text reads the language model's configuration. Without any it is a Mistral with
// an epsilon of its own.
func (f modelFile) text() (decoder.Config, error) {
	if hf.Null(f.Text) {
		f.Text = json.RawMessage(`{"rms_norm_eps": 1e-5}`)
	}
	return vlm.TextConfig(f.Text, f.Tied, "mistral", "mistral")
}

// readProcessor reads how pictures are brought to the tower.
func (c *Config) readProcessor(fsys fs.FS) error {
	half := []float64{0.5, 0.5, 0.5}
	c.Picture = PictureConfig{PictureConfig: hf.PictureConfig{ // what transformers fills in
		Resample: hf.Bilinear, RescaleFactor: 1. / 255, Mean: half, Std: half,
	}}
	p := processorFile{ImageTokens: 64}
	file, err := hf.ReadProcessor(fsys, &c.Picture, &p)
	if err != nil {
		return err
	}
	if c.Picture.Size == nil {
		c.Picture.Size = &SizeRule{Shortest: 378, Longest: 980}
	}
	return errors.Join(
		hf.Within(file, c.Picture.check()),
		hf.Within("processor_config.json", hf.Equal("image_seq_len", p.ImageTokens, "resampler_n_latents in config.json", c.Resampler.Latents)),
	)
}

func (f modelFile) check() error {
	return errors.Join(
		hf.CheckArchitecture(f.Architectures, Architecture),
		hf.Require("model_type", f.ModelType, "idefics2"),
		f.Pretrained.Check(),
		hf.Within("vision_config", f.Vision.check()),
		hf.Within("perceiver_config", f.Resampler.check()),
	)
}

// join makes one of the parts, and compares them.
func (c *Config) join() error {
	if c.Resampler.Hidden != c.Text.Hidden { // as transformers does, epsilon and all
		c.Resampler.Hidden, c.Resampler.Epsilon = c.Text.Hidden, c.Text.Epsilon
	}
	if c.ImageToken < 0 || c.ImageToken >= c.Text.Vocabulary {
		return fmt.Errorf("%w: image_token_id is %d, the vocabulary has %d", hf.ErrConfig, c.ImageToken, c.Text.Vocabulary)
	}
	return nil
}

func (c VisionConfig) check() error {
	_, err := nn.Activation(c.Activation)
	return errors.Join(
		hf.Within("hidden_act", err),
		// The older of these is that of the whole model, which the first versions wrote here too.
		hf.Require("model_type", c.ModelType, "idefics2", "idefics2_vision"),
		c.Pretrained.Check(),
		vision.TowerConfig{
			Hidden: c.Hidden, Intermediate: c.Intermediate, Layers: c.Layers, Heads: c.Heads, Channels: c.Channels,
			ImageSize: c.ImageSize, PatchSize: c.PatchSize, Epsilon: c.Epsilon,
		}.Check(),
	)
}

func (c ResamplerConfig) check() error {
	_, err := nn.Activation(c.Activation)
	err = errors.Join(
		hf.Within("hidden_act", err),
		c.Pretrained.Check(),
		hf.Check(c.Epsilon > 0 && c.Epsilon < 1, "rms_norm_eps is %v, want a number between 0 and 1", c.Epsilon),
		hf.CheckSizes(
			hf.Size{Name: "hidden_size", Value: c.Hidden, Limit: 1 << 16},
			hf.Size{Name: "resampler_n_latents", Value: c.Latents, Limit: 1 << 12},
			hf.Size{Name: "resampler_depth", Value: c.Layers, Limit: 1 << 10},
			hf.Size{Name: "resampler_n_heads", Value: c.Heads, Limit: 1 << 10},
			hf.Size{Name: "num_key_value_heads", Value: c.KVHeads, Limit: 1 << 10},
			hf.Size{Name: "resampler_head_dim", Value: c.HeadDim, Limit: 1 << 12},
		),
	)
	if err == nil && c.Heads%c.KVHeads != 0 {
		err = hf.Errorf("resampler_n_heads is %d, no multiple of num_key_value_heads, %d", c.Heads, c.KVHeads)
	}
	return err
}

func (c PictureConfig) check() error {
	s := *c.Size
	edges := []hf.Size{{Name: "size.shortest_edge", Value: s.Shortest}, {Name: "size.longest_edge", Value: s.Longest}}
	if s.fixed() {
		edges = []hf.Size{{Name: "size.height", Value: s.Height}, {Name: "size.width", Value: s.Width}}
	}
	for i := range edges {
		edges[i].Limit = 1 << 14
	}
	return errors.Join(c.PictureConfig.Check(), hf.CheckSizes(edges...))
}

// fixed says that all pictures are brought to one height and width.
func (s SizeRule) fixed() bool { return s.Shortest == 0 && s.Longest == 0 }

// target is the size that a picture is brought to: the longest edge down to its
// bound, then each edge by itself up to the other. The shape is not always kept.
func (s SizeRule) target(picture vision.Size) vision.Size {
	if s.fixed() {
		return vision.Size{Height: s.Height, Width: s.Width}
	}
	h, w := picture.Height, picture.Width
	ratio := float64(w) / float64(h)
	switch {
	case w >= h && w > s.Longest:
		h, w = int(float64(s.Longest)/ratio), s.Longest
	case h > w && h > s.Longest:
		h, w = s.Longest, int(float64(s.Longest)*ratio)
	}
	return vision.Size{Height: max(h, s.Shortest), Width: max(w, s.Shortest)}
}
