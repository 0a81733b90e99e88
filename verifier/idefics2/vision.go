package idefics2

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// Features implements vlm.Model.
func (m *network) Features(f nn.Pass, image *Node) *Node {
	d := image.Shape().Dimensions
	parts := m.parts(vision.Size{Height: d[1], Width: d[2]})
	var vectors []*Node // [B, latents, hidden] per part
	for len(parts) > 0 {
		same := 1 // parts of one size are looked at together
		for same < len(parts) && parts[same].size == parts[0].size {
			same++
		}
		x := m.look(f, image, parts[:same])
		for k := range same {
			vectors = append(vectors, Slice(x, AxisRange(k*d[0], (k+1)*d[0])))
		}
		parts = parts[same:]
	}
	return Concatenate(vectors, 1)
}

// look maps some parts of pictures, all of one size, to [parts·B, latents, hidden].
func (m *network) look(f nn.Pass, image *Node, parts []part) *Node {
	pieces := make([]*Node, len(parts))
	for i, part := range parts {
		pieces[i] = m.process(part.cut(image))
	}
	x := f.Record("pixel_values", Concatenate(pieces, 0))
	return m.vision.Apply(f, ConvertDType(x, m.dtype))
}

// visionModel is all that comes before the language model: the tower, a projection
// to the language model's width, and the resampler.
type visionModel struct {
	side       int // learnt positions along an edge
	tower      *vision.SigLIP
	projection *nn.GatedMLP
	resampler  *resampler
}

// newVision reads the parameters at the cursor of "model".
func newVision(c weights.Cursor, cfg modelConfig) *visionModel {
	connector := c.In("connector")
	return &visionModel{
		side:  cfg.Vision.side(),
		tower: vision.NewSigLIP(c.In("vision_model"), cfg.Vision.tower(), cfg.Vision.encoder()),
		projection: nn.NewGatedMLP(connector.In("modality_projection"), cfg.Vision.Hidden, cfg.Text.Intermediate, cfg.Text.Hidden,
			nn.MustActivation(cfg.Text.Activation), nn.NoBias),
		resampler: newResampler(connector.In("perceiver_resampler"), cfg.Resampler),
	}
}

// Apply maps normalised pictures [B, H, W, 3] to [B, latents, hidden], in their dtype.
func (v *visionModel) Apply(f nn.Pass, x *Node) *Node {
	x = v.tower.Apply(f, x, func(grid vision.Size) []int32 { return positions(grid, v.side) })
	x = f.Record("modality_projection", v.projection.Apply(f, x))
	return f.Record("projector_output", v.resampler.apply(f, x))
}

// encoder describes the blocks.
func (c visionConfig) encoder() nn.EncoderConfig {
	return nn.EncoderConfig{
		Layers: c.Layers, Hidden: c.Hidden, Intermediate: c.Intermediate, Heads: c.Heads, Epsilon: c.Epsilon,
		Activation: nn.MustActivation(c.Activation), // readConfig has checked it
	}
}

// positions is the place of each patch of a picture on the square grid of learnt
// positions, row by row.
func positions(grid vision.Size, side int) []int32 {
	return vision.Places(buckets(grid.Height, side), buckets(grid.Width, side), side)
}

// buckets lays patches along one edge over side learnt positions: about
// ⌊i·side/patches⌋. Where the fractions meet, float32 decides: for 58 patches of 70
// positions, for one, it matters.
// Source: transformers v4.50.0, Idefics2VisionEmbeddings.forward. (Version 5
// multiplies where 4.50 calls arange, and differs for some counts.)
func buckets(patches, side int) []int32 {
	return vision.Buckets(vision.Arange(0, 1-1e-6, float64(1/float32(patches))), side)
}

// resampler asks the patches with a fixed number of learnt vectors, layer after
// layer (a Perceiver).
type resampler struct {
	latents *model.Variable // [latents, hidden]
	layers  []*resamplerLayer
	norm    *nn.RMSNorm
}

type resamplerLayer struct {
	config                            resamplerConfig
	normContext, normLatents, normMLP *nn.RMSNorm
	attention                         *nn.MultiHead
	mlp                               *nn.GatedMLP
}

func newResampler(c weights.Cursor, cfg resamplerConfig) *resampler {
	r := &resampler{
		latents: c.Variable("latents", cfg.Latents, cfg.Hidden),
		norm:    nn.NewRMSNorm(c.In("norm"), cfg.Hidden, cfg.Epsilon, nn.NoBias),
	}
	for i := range cfg.Layers {
		r.layers = append(r.layers, newResamplerLayer(c.In("layers", i), cfg))
	}
	return r
}

func newResamplerLayer(c weights.Cursor, cfg resamplerConfig) *resamplerLayer {
	attn := c.In("self_attn")
	inner, innerKV := cfg.Heads*cfg.HeadDim, cfg.KVHeads*cfg.HeadDim
	norm := func(name string) *nn.RMSNorm { return nn.NewRMSNorm(c.In(name), cfg.Hidden, cfg.Epsilon, nn.NoBias) }
	return &resamplerLayer{
		config:      cfg,
		normContext: norm("input_context_norm"),
		normLatents: norm("input_latents_norm"),
		normMLP:     norm("post_attention_layernorm"),
		attention: &nn.MultiHead{
			Name: attn.Path(), Heads: cfg.Heads, KVHeads: cfg.KVHeads,
			Q:   nn.NewLinear(attn.In("q_proj"), cfg.Hidden, inner, nn.NoBias),
			K:   nn.NewLinear(attn.In("k_proj"), cfg.Hidden, innerKV, nn.NoBias),
			V:   nn.NewLinear(attn.In("v_proj"), cfg.Hidden, innerKV, nn.NoBias),
			Out: nn.NewLinear(attn.In("o_proj"), inner, cfg.Hidden, nn.NoBias),
		},
		mlp: nn.NewGatedMLP(c.In("mlp"), cfg.Hidden, 4*cfg.Hidden, cfg.Hidden, nn.MustActivation(cfg.Activation), nn.NoBias),
	}
}

// apply maps the patches of pictures [B, T, hidden] to [B, latents, hidden].
func (r *resampler) apply(f nn.Pass, context *Node) *Node {
	latents := ConvertDType(r.latents.NodeValue(context), context.DType())
	d := latents.Shape().Dimensions
	latents = BroadcastToDims(InsertAxes(latents, 0), context.Shape().Dim(0), d[0], d[1])
	for _, l := range r.layers {
		latents = l.apply(f, latents, context)
	}
	return r.norm.Apply(f, latents)
}

// apply lets the latents attend to the patches and to each other.
func (l *resamplerLayer) apply(f nn.Pass, latents, context *Node) *Node {
	latents = f.Enter(latents)
	own := l.normLatents.Apply(f, latents)
	all := Concatenate([]*Node{l.normContext.Apply(f, context), own}, 1)
	q, k, v := l.attention.Project(f, own, all)
	h := nn.GroupedAttention(q, k, v, nil, 1/math.Sqrt(float64(l.config.HeadDim)), 0)
	latents = Add(latents, l.attention.Output(f, h))
	latents = Add(latents, l.mlp.Apply(f, l.normMLP.Apply(f, latents)))
	return f.Leave(latents)
}

// activations estimates what the backward pass of a picture of that many patches
// needs to keep, in numbers.
func (c modelConfig) activations(patches int) int {
	r := c.Resampler
	layer := patches*(r.Hidden+2*r.KVHeads*r.HeadDim) + r.Latents*(16*r.Hidden+2*r.Heads*(patches+r.Latents))
	return c.Vision.encoder().Activations(patches) + 3*patches*c.Text.Intermediate + r.Layers*layer
}
