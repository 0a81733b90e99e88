package text

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// T5Config sizes the encoder of T5 v1.1. The fields are those of transformers'
// config.json.
type T5Config struct {
	Width       int     `json:"d_model"`
	HeadWidth   int     `json:"d_kv"`
	Inner       int     `json:"d_ff"` // of the feed-forward layers
	Layers      int     `json:"num_layers"`
	Heads       int     `json:"num_heads"`
	Vocabulary  int     `json:"vocab_size"`
	Buckets     int     `json:"relative_attention_num_buckets"`  // of distances
	MaxDistance int     `json:"relative_attention_max_distance"` // from which on all are alike
	Epsilon     float64 `json:"layer_norm_epsilon"`
	FeedForward string  `json:"feed_forward_proj"`

	ModelType  string `json:"model_type"`
	Activation string `json:"dense_act_fn"` // said by FeedForward already
	Gated      bool   `json:"is_gated_act"` // the same
	IsDecoder  bool   `json:"is_decoder"`

	EndID             any `json:"eos_token_id"`
	ClassifierDropout any `json:"classifier_dropout"`
	DecoderStart      any `json:"decoder_start_token_id"`
	DropoutRate       any `json:"dropout_rate"`
	EncoderDecoder    any `json:"is_encoder_decoder"`
	DecoderLayers     any `json:"num_decoder_layers"`
	ScaleOutputs      any `json:"scale_decoder_outputs"`
	Positions         any `json:"n_positions"`
	OutputPast        any `json:"output_past"`
	TaskParams        any `json:"task_specific_params"`
	unused
}

// CLIPConfig sizes the text encoder of CLIP. The fields are those of
// transformers' config.json.
type CLIPConfig struct {
	Width      int     `json:"hidden_size"`
	Inner      int     `json:"intermediate_size"`
	Layers     int     `json:"num_hidden_layers"`
	Heads      int     `json:"num_attention_heads"`
	Positions  int     `json:"max_position_embeddings"`
	Vocabulary int     `json:"vocab_size"`
	Epsilon    float64 `json:"layer_norm_eps"`
	Activation string  `json:"hidden_act"`
	EndID      int     `json:"eos_token_id"`
	ModelType  string  `json:"model_type"`

	AttentionDropout any `json:"attention_dropout"`
	Dropout          any `json:"dropout"`
	ProjectionWidth  any `json:"projection_dim"` // of a layer that the encoder alone lacks
	unused
}

// unused are the fields of transformers' configurations that change nothing in
// what an encoder computes.
type unused struct {
	Architectures     any `json:"architectures"`
	NameOrPath        any `json:"_name_or_path"`
	DType             any `json:"dtype"` // the tensors say it themselves
	TorchDType        any `json:"torch_dtype"`
	Version           any `json:"transformers_version"`
	BeginID           any `json:"bos_token_id"`
	PaddingID         any `json:"pad_token_id"` // the tokenizer's counts
	InitializerFactor any `json:"initializer_factor"`
	InitializerRange  any `json:"initializer_range"`
	TieEmbeddings     any `json:"tie_word_embeddings"`
	UseCache          any `json:"use_cache"`
	ReturnDict        any `json:"return_dict"`
	OutputAttentions  any `json:"output_attentions"`
	OutputHidden      any `json:"output_hidden_states"`
}

// ReadT5Config reads dir/config.json. Errors name the file and the field; those
// about a value wrap hf.ErrConfig.
func ReadT5Config(fsys fs.FS, dir string) (T5Config, error) {
	c := T5Config{ // what transformers fills in
		Width: 512, HeadWidth: 64, Inner: 2048, Layers: 6, Heads: 8, Vocabulary: 32128,
		Buckets: 32, MaxDistance: 128, Epsilon: 1e-6, FeedForward: "relu", ModelType: "t5",
		Activation: "gelu_new", Gated: true,
	}
	file := path.Join(dir, "config.json")
	if err := hf.ReadConfig(fsys, file, &c); err != nil {
		return c, err
	}
	if err := c.check(); err != nil {
		return c, fmt.Errorf("text: %s: %w", file, err)
	}
	return c, nil
}

func (c T5Config) check() error {
	err := errors.Join(
		hf.Require("model_type", c.ModelType, "t5"),
		hf.Require("feed_forward_proj", c.FeedForward, "gated-gelu"),
		hf.Require("dense_act_fn", c.Activation, "gelu_new"),
		hf.Require("is_gated_act", c.Gated, true),
		hf.Require("is_decoder", c.IsDecoder, false),
		hf.CheckSizes(
			hf.Size{Name: "d_model", Value: c.Width, Limit: 1 << 16},
			hf.Size{Name: "d_kv", Value: c.HeadWidth, Limit: 1 << 12},
			hf.Size{Name: "d_ff", Value: c.Inner, Limit: 1 << 18},
			hf.Size{Name: "num_layers", Value: c.Layers, Limit: 1 << 10},
			hf.Size{Name: "num_heads", Value: c.Heads, Limit: 1 << 10},
			hf.Size{Name: "vocab_size", Value: c.Vocabulary, Limit: 1 << 24},
			hf.Size{Name: "relative_attention_num_buckets", Value: c.Buckets, Limit: 1 << 12},
			hf.Size{Name: "relative_attention_max_distance", Value: c.MaxDistance, Limit: 1 << 20},
		),
		checkEpsilon("layer_norm_epsilon", c.Epsilon),
	)
	if err == nil && (c.Buckets%4 != 0 || c.MaxDistance <= c.Buckets/4) {
		err = fmt.Errorf("%w: relative_attention_num_buckets is %d and relative_attention_max_distance %d",
			hf.ErrConfig, c.Buckets, c.MaxDistance)
	}
	return err
}

// ReadCLIPConfig reads dir/config.json. Errors name the file and the field; those
// about a value wrap hf.ErrConfig.
func ReadCLIPConfig(fsys fs.FS, dir string) (CLIPConfig, error) {
	c := CLIPConfig{ // what transformers fills in
		Width: 512, Inner: 2048, Layers: 12, Heads: 8, Positions: 77, Vocabulary: 49408,
		Epsilon: 1e-5, Activation: "quick_gelu", EndID: 49407, ModelType: "clip_text_model",
	}
	file := path.Join(dir, "config.json")
	if err := hf.ReadConfig(fsys, file, &c); err != nil {
		return c, err
	}
	if err := c.check(); err != nil {
		return c, fmt.Errorf("text: %s: %w", file, err)
	}
	return c, nil
}

func (c CLIPConfig) check() error {
	err := errors.Join(
		hf.Require("model_type", c.ModelType, "clip_text_model"),
		hf.Require("hidden_act", c.Activation, "quick_gelu"),
		hf.CheckSizes(
			hf.Size{Name: "hidden_size", Value: c.Width, Limit: 1 << 16},
			hf.Size{Name: "intermediate_size", Value: c.Inner, Limit: 1 << 18},
			hf.Size{Name: "num_hidden_layers", Value: c.Layers, Limit: 1 << 10},
			hf.Size{Name: "num_attention_heads", Value: c.Heads, Limit: 1 << 10},
			hf.Size{Name: "max_position_embeddings", Value: c.Positions, Limit: 1 << 16},
			hf.Size{Name: "vocab_size", Value: c.Vocabulary, Limit: 1 << 24},
		),
		checkEpsilon("layer_norm_eps", c.Epsilon),
	)
	if err == nil && c.Width%c.Heads != 0 {
		err = fmt.Errorf("%w: hidden_size %d is no multiple of num_attention_heads %d", hf.ErrConfig, c.Width, c.Heads)
	}
	return err
}

func checkEpsilon(name string, value float64) error {
	if value > 0 && value < 1 {
		return nil
	}
	return fmt.Errorf("%w: %s is %v", hf.ErrConfig, name, value)
}
