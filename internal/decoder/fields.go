package decoder

import (
	"encoding/json"

	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// The kinds of language models, by which defaults and meanings differ.
const (
	llama   = "llama"
	mistral = "mistral"
	qwen2   = "qwen2"
	gemma2  = "gemma2"
	gemma3  = "gemma3"
)

// fields are those of transformers' configurations, of all kinds. A pointer is
// nil where the file says null or nothing and the kind has no default.
type fields struct {
	kind string

	Layers           int     `json:"num_hidden_layers"`
	Hidden           int     `json:"hidden_size"`
	Intermediate     int     `json:"intermediate_size"`
	Heads            int     `json:"num_attention_heads"`
	KVHeads          *int    `json:"num_key_value_heads"`
	HeadDim          *int    `json:"head_dim"`
	Vocabulary       int     `json:"vocab_size"`
	Epsilon          float64 `json:"rms_norm_eps"`
	Activation       string  `json:"hidden_act"`
	HiddenActivation *string `json:"hidden_activation"` // Gemma's name of it, which goes first
	Tied             *bool   `json:"tie_word_embeddings"`
	AttentionBias    bool    `json:"attention_bias"`
	MLPBias          bool    `json:"mlp_bias"`

	QueryScalar   *float64 `json:"query_pre_attn_scalar"`
	AttentionCap  *float64 `json:"attn_logit_softcapping"`
	LogitCap      *float64 `json:"final_logit_softcapping"`
	Bidirectional *bool    `json:"use_bidirectional_attention"`

	SlidingWindow    *int     `json:"sliding_window"`
	UseSlidingWindow *bool    `json:"use_sliding_window"`
	MaxWindowLayers  *int     `json:"max_window_layers"`
	Pattern          *int     `json:"sliding_window_pattern"`
	SavedPattern     *int     `json:"_sliding_window_pattern"` // as some versions write it back
	LayerTypes       []string `json:"layer_types"`

	Theta          *float64        `json:"rope_theta"`
	LocalTheta     *float64        `json:"rope_local_base_freq"`
	RopeScaling    json.RawMessage `json:"rope_scaling"`
	RopeParameters json.RawMessage `json:"rope_parameters"`
	PartialRotary  *float64        `json:"partial_rotary_factor"`

	MaxPositions        any `json:"max_position_embeddings"` // nothing that we support depends on it
	Parallel            any `json:"pretraining_tp"`          // how Llama's training split matrices
	CacheImplementation any `json:"cache_implementation"`
	hf.Pretrained
}

// onlyOf are fields that other kinds than these do not have.
var onlyOf = map[string][]string{
	"attention_bias":              {llama, gemma2, gemma3},
	"mlp_bias":                    {llama},
	"hidden_activation":           {gemma2, gemma3},
	"query_pre_attn_scalar":       {gemma2, gemma3},
	"attn_logit_softcapping":      {gemma2},
	"final_logit_softcapping":     {gemma2},
	"use_bidirectional_attention": {gemma2, gemma3},
	"sliding_window":              {mistral, qwen2, gemma2, gemma3},
	"use_sliding_window":          {qwen2},
	"max_window_layers":           {qwen2},
	"sliding_window_pattern":      {gemma3},
	"_sliding_window_pattern":     {gemma3},
	"rope_local_base_freq":        {gemma3},
}

// defaults returns what transformers fills in for a model_type.
func defaults(modelType string) (*fields, error) {
	switch modelType {
	case "llama":
		return &fields{kind: llama, Layers: 32, Hidden: 4096, Intermediate: 11008, Heads: 32,
			Vocabulary: 32000, Epsilon: 1e-6, Activation: "silu", Theta: new(1e4)}, nil
	case "mistral":
		return &fields{kind: mistral, Layers: 32, Hidden: 4096, Intermediate: 14336, Heads: 32, KVHeads: new(8),
			Vocabulary: 32000, Epsilon: 1e-6, Activation: "silu", Theta: new(1e4),
			SlidingWindow: new(4096)}, nil
	case "qwen2_5_vl", "qwen2_5_vl_text":
		return &fields{kind: qwen2, Layers: 80, Hidden: 8192, Intermediate: 29568, Heads: 64, KVHeads: new(8),
			Vocabulary: 152064, Epsilon: 1e-5, Activation: "silu", Theta: new(1e6),
			SlidingWindow: new(4096), UseSlidingWindow: new(false), MaxWindowLayers: new(80)}, nil
	case "gemma2":
		return &fields{kind: gemma2, Layers: 26, Hidden: 2304, Intermediate: 9216, Heads: 8, KVHeads: new(4), HeadDim: new(256),
			Vocabulary: 256000, Epsilon: 1e-6, HiddenActivation: new("gelu_pytorch_tanh"), Theta: new(1e4),
			SlidingWindow: new(4096), QueryScalar: new(256.), AttentionCap: new(50.), LogitCap: new(30.)}, nil
	case "gemma3_text":
		return &fields{kind: gemma3, Layers: 26, Hidden: 2304, Intermediate: 9216, Heads: 8, KVHeads: new(4), HeadDim: new(256),
			Vocabulary: 262208, Epsilon: 1e-6, HiddenActivation: new("gelu_pytorch_tanh"), Theta: new(1e6),
			LocalTheta: new(1e4), SlidingWindow: new(4096), QueryScalar: new(256.)}, nil
	}
	return nil, hf.Require("model_type", modelType, "llama", "mistral", "qwen2_5_vl", "qwen2_5_vl_text", "gemma2", "gemma3_text")
}
