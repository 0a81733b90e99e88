package diffusion

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// normEpsilon of all normalisations.
const normEpsilon = 1e-6

// Transformer predicts the velocity ε - z₀ of a rectified flow: full attention
// over the patches of the latents and the tokens of the text, modulated by the
// noise level and the sum of the words (adaLN-single, as in PixArt-α).
type Transformer struct {
	config     TransformerConfig
	words      *nn.Embedding
	textIn     *nn.Linear
	textPool   *nn.Linear
	patchIn    *nn.Linear
	position   *model.Variable // [latent tokens + text tokens, hidden]
	time       *nn.MLP
	modulation *nn.Linear
	blocks     []*block
	table      *model.Variable // [2, hidden]: shift and scale before the last layer
	out        *nn.Linear
}

// NewTransformer reads the transformer's parameters at the cursor.
func NewTransformer(c weights.Cursor, cfg TransformerConfig) *Transformer {
	d := cfg.HiddenSize
	patch := cfg.PatchSize * cfg.PatchSize * cfg.InChannels
	t := &Transformer{
		config:     cfg,
		words:      nn.NewEmbedding(c.In("text_embedder", "words"), cfg.VocabSize, cfg.WordDim),
		textIn:     nn.NewLinear(c.In("text_embedder", "proj"), cfg.WordsPerToken*cfg.WordDim, d, nn.Bias),
		textPool:   nn.NewLinear(c.In("text_embedder", "pool"), cfg.WordDim, d, nn.Bias),
		patchIn:    nn.NewLinear(c.In("x_embedder"), patch, d, nn.Bias),
		position:   c.Variable("pos_embed", cfg.latentTokens()+cfg.textTokens(), d),
		time:       nn.NewMLP(c.In("t_embedder"), "linear_1", "linear_2", cfg.FrequencyDim, d, d, nn.SiLU),
		modulation: nn.NewLinear(c.In("adaln_single", "linear"), d, 6*d, nn.Bias),
		table:      c.Variable("scale_shift_table", 2, d),
		out:        nn.NewLinear(c.In("proj_out"), d, patch, nn.Bias),
	}
	for i := range cfg.NumLayers {
		t.blocks = append(t.blocks, newBlock(c.In("transformer_blocks", i), cfg))
	}
	return t
}

func (c TransformerConfig) latentTokens() int {
	side := c.SampleSize / c.PatchSize
	return side * side
}

func (c TransformerConfig) textTokens() int { return c.MaxWords / c.WordsPerToken }

// Apply returns the velocity [B, H, W, C] at latents of that shape, noise levels
// sigma [B] and words ids [B, MaxWords].
func (t *Transformer) Apply(f nn.Pass, latents, sigma, ids *Node) *Node {
	text, pooled := t.embedText(f, ids, latents.DType())
	side := t.config.SampleSize / t.config.PatchSize
	batch := latents.Shape().Dim(0)
	x := Reshape(nn.Patches(latents, t.config.PatchSize), batch, side*side, -1)
	x = Concatenate([]*Node{t.patchIn.Apply(f, x), text}, 1) // [B, S, hidden]
	x = Add(x, InsertAxes(ConvertDType(t.position.NodeValue(x), x.DType()), 0))

	cond := nn.SiLU(Add(t.embedTime(f, sigma, x.DType()), pooled))                // [B, hidden]
	shared := Reshape(t.modulation.Apply(f, cond), batch, 6, t.config.HiddenSize) // by all blocks
	for _, b := range t.blocks {
		x = b.apply(f, x, shared)
	}
	x = Slice(x, AxisRange(), AxisRange(0, side*side))
	v := vectors(t.table, InsertAxes(cond, 1))
	x = t.out.Apply(f, nn.Modulation{Shift: v(0), Scale: v(1)}.Apply(normalize(x)))
	return nn.Unpatch(Reshape(x, batch, side, side, -1), t.config.PatchSize)
}

// embedText returns the text tokens [B, T, hidden] and the pooled words [B, hidden].
func (t *Transformer) embedText(f nn.Pass, ids *Node, dtype dtypes.DType) (tokens, pooled *Node) {
	words := t.words.Apply(f, ids, dtype) // [B, MaxWords, WordDim]
	known := ConvertDType(NotEqual(ids, ZerosLike(ids)), dtype)
	words = Mul(words, InsertAxes(known, -1)) // the padding word is no word
	batch := ids.Shape().Dim(0)
	tokens = t.textIn.Apply(f, Reshape(words, batch, t.config.textTokens(), -1))
	pooled = t.textPool.Apply(f, MulScalar(ReduceSum(words, 1), t.config.TextPoolWeight))
	return tokens, pooled
}

// embedTime maps noise levels [B] to vectors [B, hidden].
func (t *Transformer) embedTime(f nn.Pass, sigma *Node, dtype dtypes.DType) *Node {
	const fastest = 100.0 // radians over the whole range of sigma: 1 to 100, in geometric steps
	half := t.config.FrequencyDim / 2
	k := Iota(sigma.Graph(), shapes.Make(dtypes.Float32, 1, half), 1)
	angles := Mul(InsertAxes(ConvertDType(sigma, dtypes.Float32), -1), Exp(MulScalar(k, math.Log(fastest)/float64(half-1))))
	waves := ConvertDType(Concatenate([]*Node{Cos(angles), Sin(angles)}, -1), dtype)
	return t.time.Apply(f, waves)
}

// block is one layer of the transformer.
type block struct {
	table     *model.Variable // [6, hidden], added to the shared modulation
	attention *nn.MultiHead
	feed      *nn.MLP
}

func newBlock(c weights.Cursor, cfg TransformerConfig) *block {
	d, head, attn := cfg.HiddenSize, cfg.HiddenSize/cfg.NumHeads, c.In("attn")
	linear := func(elements ...any) *nn.Linear { return nn.NewLinear(attn.In(elements...), d, d, nn.Bias) }
	return &block{
		table: c.Variable("scale_shift_table", 6, d),
		attention: &nn.MultiHead{
			Name: attn.Path(), Heads: cfg.NumHeads,
			Q: linear("to_q"), K: linear("to_k"), V: linear("to_v"), Out: linear("to_out", 0),
			NormQ: nn.NewRMSNorm(attn.In("norm_q"), head, normEpsilon, nn.NoBias),
			NormK: nn.NewRMSNorm(attn.In("norm_k"), head, normEpsilon, nn.NoBias),
		},
		feed: nn.NewMLP(c.In("ff"), "net.0.proj", "net.2", d, cfg.MLPRatio*d, d, nn.GELUTanh),
	}
}

// apply maps x [B, S, hidden]; shared is the modulation of all blocks, [B, 6, hidden].
func (b *block) apply(f nn.Pass, x, shared *Node) *Node {
	v := vectors(b.table, shared)
	attention := nn.Modulation{Shift: v(0), Scale: v(1), Gate: v(2)}
	feed := nn.Modulation{Shift: v(3), Scale: v(4), Gate: v(5)}

	h := attention.Apply(normalize(x))
	x = Add(x, Mul(b.attention.Apply(f, h, h, nil), attention.Gate))
	h = feed.Apply(normalize(x))
	return Add(x, Mul(b.feed.Apply(f, h), feed.Gate))
}

func normalize(x *Node) *Node { return nn.Normalize(x, normEpsilon) }

// vectors adds the rows of table [n, hidden] to those of shared [B, n or 1, hidden];
// each of the result is [B, 1, hidden].
func vectors(table *model.Variable, shared *Node) func(i int) *Node {
	sum := Add(InsertAxes(ConvertDType(table.NodeValue(shared), shared.DType()), 0), shared)
	return func(i int) *Node { return Slice(sum, AxisRange(), AxisRange(i, i+1)) }
}
