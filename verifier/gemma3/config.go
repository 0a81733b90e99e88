package gemma3

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"

	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// Architecture names Gemma 3 with its vision tower in config.json.
const Architecture = "Gemma3ForConditionalGeneration"

// Config of a Gemma 3 verifier: the JSON files of its folder. The fields are those
// of transformers 4.50 to 5.23; what the files leave out, as those of the real
// checkpoints do with most, is filled in as transformers does.
type Config struct {
	Architectures []string     `json:"architectures"`
	ModelType     string       `json:"model_type"`
	Text          TextConfig   `json:"text_config"`
	Vision        VisionConfig `json:"vision_config"`
	ImageTokens   int          `json:"mm_tokens_per_image"` // a picture's, a square number
	ImageBegin    int          `json:"boi_token_index"`
	ImageEnd      int          `json:"eoi_token_index"`
	ImageToken    int          `json:"image_token_index"` // whose places the picture's features take
	Tied          *bool        `json:"tie_word_embeddings"`

	Picture PictureConfig `json:"-"` // preprocessor_config.json
	unused
}

// VisionConfig sizes the SigLIP tower.
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
	Head         any     `json:"vision_use_head"` // of a classifier, which Gemma has no use for
	unused
}

// unused are the fields of transformers' configurations that change nothing in
// what a model computes without training.
type unused struct {
	NameOrPath        any `json:"_name_or_path"`
	AttentionAutoset  any `json:"_attn_implementation_autoset"`
	AttentionDropout  any `json:"attention_dropout"`
	Begin             any `json:"bos_token_id"` // the tokenizer's counts
	End               any `json:"eos_token_id"` // that of generation_config.json counts
	Padding           any `json:"pad_token_id"`
	CacheKind         any `json:"cache_implementation"`
	DType             any `json:"dtype"` // the tensors say it themselves
	TorchDType        any `json:"torch_dtype"`
	InitializerRange  any `json:"initializer_range"`
	InitializerFactor any `json:"initializer_factor"`
	Positions         any `json:"max_position_embeddings"`
	UseCache          any `json:"use_cache"`
	OutputAttentions  any `json:"output_attentions"`
	OutputHidden      any `json:"output_hidden_states"`
	ReturnDict        any `json:"return_dict"`
	Version           any `json:"transformers_version"`
}

// defaults is what transformers fills in.
func defaults() Config {
	return Config{
		ModelType: "gemma3", ImageTokens: 256, ImageBegin: 255_999, ImageEnd: 256_000, ImageToken: 262_144,
		Text: TextConfig{
			ModelType: "gemma3_text", Vocabulary: 262_208, Hidden: 2304, Intermediate: 9216, Layers: 26, Heads: 8, KVHeads: 4,
			HeadDim: 256, Activation: "gelu_pytorch_tanh", Epsilon: 1e-6, QueryScalar: 256, Window: new(4096),
			Theta: 1e6, LocalTheta: 1e4,
		},
		Vision: VisionConfig{
			ModelType: "siglip_vision_model", Hidden: 768, Intermediate: 3072, Layers: 12, Heads: 12, Channels: 3,
			ImageSize: 224, PatchSize: 16, Activation: "gelu_pytorch_tanh", Epsilon: 1e-6,
		},
		Picture: defaultPicture(),
	}
}

// ReadConfig reads config.json and the processor's files of a Gemma 3 folder.
// Errors name the file and the field; those about a value wrap weights.ErrConfig.
func ReadConfig(fsys fs.FS) (Config, error) {
	const file = "config.json"
	c := defaults()
	if err := weights.ReadConfig(fsys, file, &c); err != nil {
		return c, err
	}
	if err := c.check(); err != nil {
		return c, fmt.Errorf("%s: %w", file, err)
	}
	return c, c.readProcessor(fsys)
}

// tied says whether the head is the table of embeddings: transformers 5 asks the
// outer configuration, which 4 never wrote, and 4 that of the text.
func (c Config) tied() bool {
	for _, t := range []*bool{c.Tied, c.Text.Tied} {
		if t != nil {
			return *t
		}
	}
	return true
}

// patches are along one side of the picture that the tower sees; tokens are what
// pooling makes of them, windows of that many patches each.
func (c Config) patches() int { return c.Vision.ImageSize / c.Vision.PatchSize }

// pool is the side of the windows that patches are averaged over.
func (c Config) pool() int { return c.patches() / int(math.Sqrt(float64(c.ImageTokens))) }

func (c Config) check() error {
	err := errors.Join(
		weights.Require("architectures", len(c.Architectures) == 0 || slices.Contains(c.Architectures, Architecture), true),
		weights.Require("model_type", c.ModelType, "gemma3"),
		weights.CheckSizes(weights.Size{Name: "mm_tokens_per_image", Value: c.ImageTokens, Limit: 1 << 16}),
		within("text_config", c.Text.check()),
		within("vision_config", c.Vision.check()),
	)
	if err != nil {
		return err
	}
	for _, id := range []weights.Size{
		{Name: "boi_token_index", Value: c.ImageBegin}, {Name: "eoi_token_index", Value: c.ImageEnd}, {Name: "image_token_index", Value: c.ImageToken},
	} {
		if id.Value < 0 || id.Value >= c.Text.Vocabulary {
			return fmt.Errorf("%w: %s is %d, the vocabulary has %d", weights.ErrConfig, id.Name, id.Value, c.Text.Vocabulary)
		}
	}
	if k := c.pool(); k == 0 || (c.patches()/k)*(c.patches()/k) != c.ImageTokens {
		return fmt.Errorf("%w: mm_tokens_per_image is %d, which %d x %d patches can't be pooled to",
			weights.ErrConfig, c.ImageTokens, c.patches(), c.patches())
	}
	return nil
}

// within puts the name of a part of the file before an error.
func within(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", name, err)
}

func (c VisionConfig) check() error {
	err := errors.Join(
		weights.Require("model_type", c.ModelType, "siglip_vision_model"),
		weights.Require("hidden_act", c.Activation, "gelu_pytorch_tanh"),
		weights.Require("num_channels", c.Channels, 3),
		weights.CheckSizes(
			weights.Size{Name: "hidden_size", Value: c.Hidden, Limit: 1 << 16},
			weights.Size{Name: "intermediate_size", Value: c.Intermediate, Limit: 1 << 18},
			weights.Size{Name: "num_hidden_layers", Value: c.Layers, Limit: 1 << 10},
			weights.Size{Name: "num_attention_heads", Value: c.Heads, Limit: 1 << 10},
			weights.Size{Name: "image_size", Value: c.ImageSize, Limit: 1 << 14},
			weights.Size{Name: "patch_size", Value: c.PatchSize, Limit: 1 << 10},
		),
		between("layer_norm_eps", c.Epsilon, 0, 1),
	)
	if err != nil {
		return err
	}
	return errors.Join(
		weights.Require("hidden_size is a multiple of num_attention_heads", c.Hidden%c.Heads == 0, true),
		weights.Require("image_size is at least patch_size", c.ImageSize >= c.PatchSize, true),
	)
}

// between returns an error that names the field unless low < value < high.
func between(name string, value, low, high float64) error {
	if value > low && value < high {
		return nil
	}
	return fmt.Errorf("%w: %s is %v", weights.ErrConfig, name, value)
}
