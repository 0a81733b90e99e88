package pocket

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
	time1      *nn.Linear
	time2      *nn.Linear
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
		time1:      nn.NewLinear(c.In("t_embedder", "linear_1"), cfg.FrequencyDim, d, nn.Bias),
		time2:      nn.NewLinear(c.In("t_embedder", "linear_2"), d, d, nn.Bias),
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

	cond := nn.SiLU(Add(t.embedTime(f, sigma, x.DType()), pooled))             // [B, hidden]
	mod := Reshape(t.modulation.Apply(f, cond), batch, 6, t.config.HiddenSize) // shared by all blocks
	for _, b := range t.blocks {
		x = b.apply(f, x, mod)
	}
	x = Slice(x, AxisRange(), AxisRange(0, side*side))
	table := InsertAxes(ConvertDType(t.table.NodeValue(x), x.DType()), 0)
	m := Add(table, InsertAxes(cond, 1)) // [B, 2, hidden]
	x = t.out.Apply(f, modulate(nn.Normalize(x, normEpsilon), part(m, 0), part(m, 1)))
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
	return t.time2.Apply(f, nn.SiLU(t.time1.Apply(f, waves)))
}

// block is one layer of the transformer.
type block struct {
	heads         int
	table         *model.Variable // [6, hidden], added to the shared modulation
	q, k, v, out  *nn.Linear
	normQ, normK  *nn.RMSNorm
	mlpIn, mlpOut *nn.Linear
}

func newBlock(c weights.Cursor, cfg TransformerConfig) *block {
	d, head := cfg.HiddenSize, cfg.HiddenSize/cfg.NumHeads
	attn, ff := c.In("attn"), c.In("ff", "net")
	return &block{
		heads:  cfg.NumHeads,
		table:  c.Variable("scale_shift_table", 6, d),
		q:      nn.NewLinear(attn.In("to_q"), d, d, nn.Bias),
		k:      nn.NewLinear(attn.In("to_k"), d, d, nn.Bias),
		v:      nn.NewLinear(attn.In("to_v"), d, d, nn.Bias),
		out:    nn.NewLinear(attn.In("to_out", 0), d, d, nn.Bias),
		normQ:  nn.NewRMSNorm(attn.In("norm_q"), head, normEpsilon, nn.NoBias),
		normK:  nn.NewRMSNorm(attn.In("norm_k"), head, normEpsilon, nn.NoBias),
		mlpIn:  nn.NewLinear(ff.In(0, "proj"), d, cfg.MLPRatio*d, nn.Bias),
		mlpOut: nn.NewLinear(ff.In(2), cfg.MLPRatio*d, d, nn.Bias),
	}
}

// apply maps x [B, S, hidden]; mod is the shared modulation [B, 6, hidden].
func (b *block) apply(f nn.Pass, x, mod *Node) *Node {
	mod = Add(mod, InsertAxes(ConvertDType(b.table.NodeValue(x), x.DType()), 0))
	h := modulate(nn.Normalize(x, normEpsilon), part(mod, 0), part(mod, 1))
	q := b.normQ.Apply(f, nn.SplitHeads(b.q.Apply(f, h), b.heads))
	k := b.normK.Apply(f, nn.SplitHeads(b.k.Apply(f, h), b.heads))
	v := nn.SplitHeads(b.v.Apply(f, h), b.heads)
	h = b.out.Apply(f, nn.Attention(q, k, v, nil))
	x = Add(x, Mul(h, part(mod, 2)))

	h = modulate(nn.Normalize(x, normEpsilon), part(mod, 3), part(mod, 4))
	h = b.mlpOut.Apply(f, nn.GELUTanh(b.mlpIn.Apply(f, h)))
	return Add(x, Mul(h, part(mod, 5)))
}

// part is row i of the modulation [B, n, hidden], as [B, 1, hidden].
func part(mod *Node, i int) *Node { return Slice(mod, AxisRange(), AxisRange(i, i+1)) }

// modulate is x·(1+scale) + shift.
func modulate(x, shift, scale *Node) *Node { return Add(Mul(x, OnePlus(scale)), shift) }
