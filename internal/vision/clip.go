package vision

import (
	"encoding/json"
	"errors"
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// CLIPModelType is the model_type of CLIP's vision tower in config.json.
const CLIPModelType = "clip_vision_model"

// CLIPConfig sizes CLIP's vision tower. The fields are those of transformers'
// config.json.
type CLIPConfig struct {
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

	Projection int `json:"projection_dim"` // width of CLIP's own head, which is no part of the tower
	Vocabulary any `json:"vocab_size"`     // written by mistake; it is the text's
	Dropout    any `json:"dropout"`
	hf.Pretrained
}

// DecodeCLIPConfig decodes the tower's configuration. What is missing is that of
// CLIP's base model, as transformers fills it in. Errors wrap hf.ErrConfig.
func DecodeCLIPConfig(data json.RawMessage) (CLIPConfig, error) {
	c := CLIPConfig{
		ModelType: CLIPModelType, Hidden: 768, Intermediate: 3072, Layers: 12, Heads: 12, Channels: 3,
		ImageSize: 224, PatchSize: 32, Activation: "quick_gelu", Epsilon: 1e-5, Projection: 512,
	}
	if err := hf.Decode(data, &c); err != nil {
		return c, err
	}
	return c, c.check()
}

func (c CLIPConfig) check() error {
	return errors.Join(
		hf.Require("model_type", c.ModelType, CLIPModelType),
		c.Pretrained.Check(),
		TowerConfig{
			Hidden: c.Hidden, Intermediate: c.Intermediate, Layers: c.Layers, Heads: c.Heads, Channels: c.Channels,
			ImageSize: c.ImageSize, PatchSize: c.PatchSize, Epsilon: c.Epsilon,
		}.Check(),
	)
}

// Side is the number of patches along a side of the picture that the tower reads.
func (c CLIPConfig) Side() int { return c.ImageSize / c.PatchSize }

// Blocks describes the first of the tower's blocks, so many.
func (c CLIPConfig) Blocks(layers int) (nn.EncoderConfig, error) {
	activation, err := nn.Activation(c.Activation)
	if err != nil {
		return nn.EncoderConfig{}, fmt.Errorf("hidden_act: %w", err)
	}
	return nn.EncoderConfig{
		Layers: layers, Hidden: c.Hidden, Intermediate: c.Intermediate, Heads: c.Heads, Epsilon: c.Epsilon, Activation: activation,
	}, nil
}

// CLIP is CLIP's vision transformer, up to a block: a class token and every patch
// attend to each other.
type CLIP struct {
	class     *model.Variable // [hidden]
	patches   *PatchEmbedding
	positions *nn.Embedding // of the class token and then the patches, row by row
	norm      *nn.LayerNorm // before the blocks
	encoder   *Encoder
}

// NewCLIP reads the tower's parameters at the cursor of the vision model.
func NewCLIP(c weights.Cursor, cfg CLIPConfig, blocks nn.EncoderConfig) *CLIP {
	embeddings := c.In("embeddings")
	return &CLIP{
		class:     embeddings.Variable("class_embedding", cfg.Hidden),
		patches:   NewPatchEmbedding(embeddings.In("patch_embedding"), cfg.Channels, cfg.Hidden, cfg.PatchSize, false),
		positions: nn.NewEmbedding(embeddings.In("position_embedding"), 1+cfg.Side()*cfg.Side(), cfg.Hidden),
		norm:      nn.NewLayerNorm(c.In("pre_layrnorm"), cfg.Hidden, cfg.Epsilon), // so it is called
		encoder:   NewEncoder(c.In("encoder"), blocks),
	}
}

// Apply maps pixels [B, H, W, 3] to tokens [B, 1+T, hidden], the class token
// first, in the dtype of x.
func (t *CLIP) Apply(f nn.Pass, x *Node) *Node {
	x = t.patches.Apply(f, x)
	d := x.Shape().Dimensions
	class := ExpandLeftToRank(ConvertDType(t.class.NodeValue(x), x.DType()), 3)
	x = Concatenate([]*Node{BroadcastToDims(class, d[0], 1, d[2]), x}, 1)
	x = Add(x, InsertAxes(ConvertDType(t.positions.Weight.NodeValue(x), x.DType()), 0))
	x = f.Record("patch_embed", t.norm.Apply(f, x))
	return t.encoder.Apply(f, x)
}
