package text

import (
	"encoding/json"
	"errors"
	"io/fs"
	"path"

	"github.com/dualprocess/dualprocess-go/internal/decoder"
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

	ClassifierDropout any `json:"classifier_dropout"`
	DropoutRate       any `json:"dropout_rate"`
	EncoderDecoder    any `json:"is_encoder_decoder"` // of the whole model, whose encoder this is
	DecoderLayers     any `json:"num_decoder_layers"`
	ScaleOutputs      any `json:"scale_decoder_outputs"`
	Positions         any `json:"n_positions"`
	OutputPast        any `json:"output_past"`
	hf.Pretrained
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

	Dropout         any `json:"dropout"`
	ProjectionWidth any `json:"projection_dim"` // of a layer that the encoder alone lacks
	hf.Pretrained
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
	return c, hf.Within(file, c.check())
}

func (c T5Config) check() error {
	err := errors.Join(
		hf.Require("model_type", c.ModelType, "t5"),
		hf.Require("feed_forward_proj", c.FeedForward, "gated-gelu"),
		hf.Require("dense_act_fn", c.Activation, "gelu_new"),
		hf.Require("is_gated_act", c.Gated, true),
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
		hf.Check(c.Epsilon > 0 && c.Epsilon < 1, "layer_norm_epsilon is %v, want a number between 0 and 1", c.Epsilon),
		c.Pretrained.Check(),
	)
	if err == nil && (c.Buckets%4 != 0 || c.MaxDistance <= c.Buckets/4) {
		err = hf.Errorf("relative_attention_num_buckets is %d and relative_attention_max_distance %d", c.Buckets, c.MaxDistance)
	}
	return err
}

// ReadCLIPConfig reads dir/config.json. Errors name the file and the field; those
// about a value wrap hf.ErrConfig.
func ReadCLIPConfig(fsys fs.FS, dir string) (CLIPConfig, error) {
	file := path.Join(dir, "config.json")
	var data json.RawMessage
	if err := hf.ReadConfig(fsys, file, &data); err != nil {
		return CLIPConfig{}, err
	}
	c, err := DecodeCLIPConfig(data)
	return c, hf.Within(file, err)
}

// DecodeCLIPConfig decodes the encoder's configuration, which in that of a whole
// CLIP is a part. Errors wrap hf.ErrConfig.
func DecodeCLIPConfig(data json.RawMessage) (CLIPConfig, error) {
	c := CLIPConfig{ // what transformers fills in
		Width: 512, Inner: 2048, Layers: 12, Heads: 8, Positions: 77, Vocabulary: 49408,
		Epsilon: 1e-5, Activation: "quick_gelu", EndID: 49407, ModelType: "clip_text_model",
	}
	if err := hf.Decode(data, &c); err != nil {
		return c, err
	}
	return c, c.check()
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
		hf.Check(c.Epsilon > 0 && c.Epsilon < 1, "layer_norm_eps is %v, want a number between 0 and 1", c.Epsilon),
		c.Pretrained.Check(),
	)
	if err == nil && c.Width%c.Heads != 0 {
		err = hf.Errorf("hidden_size %d is no multiple of num_attention_heads %d", c.Width, c.Heads)
	}
	return err
}

// ReadGemmaConfig reads dir/config.json, of a Gemma 2. Errors name the file and the
// field; those about a value wrap hf.ErrConfig.
func ReadGemmaConfig(fsys fs.FS, dir string) (decoder.Config, error) {
	return readDecoderConfig(fsys, dir, "gemma2")
}

// readDecoderConfig reads dir/config.json, of a language model of this model_type.
func readDecoderConfig(fsys fs.FS, dir, modelType string) (decoder.Config, error) {
	file := path.Join(dir, "config.json")
	var data json.RawMessage
	if err := hf.ReadConfig(fsys, file, &data); err != nil {
		return decoder.Config{}, err
	}
	var kind struct {
		ModelType string `json:"model_type"`
	}
	if err := json.Unmarshal(data, &kind); err != nil {
		return decoder.Config{}, hf.Within(file, err)
	}
	if err := hf.Require("model_type", kind.ModelType, modelType); err != nil {
		return decoder.Config{}, hf.Within(file, err)
	}
	c, err := decoder.ParseConfig(data)
	return c, hf.Within(file, err)
}
