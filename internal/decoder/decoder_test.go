package decoder

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// drawn is a weights.Source of random parameters that keep numbers near 1.
type drawn struct {
	store *model.Store
	rng   *rand.Rand
	dtype dtypes.DType
}

func (s drawn) Variable(name string, dims ...int) (*model.Variable, error) {
	scale := 1 / math.Sqrt(float64(dims[len(dims)-1]))
	x := tensors.FromFlatDataAndDimensions(normal(s.rng, scale, dims...), dims...)
	if s.dtype == dtypes.BFloat16 {
		x = half(x)
	}
	return s.store.CreateVariable("/"+name, x)
}

func normal(rng *rand.Rand, scale float64, dims ...int) []float32 {
	size := 1
	for _, d := range dims {
		size *= d
	}
	values := make([]float32, size)
	for i := range values {
		values[i] = float32(scale * rng.NormFloat64())
	}
	return values
}

// kinds are configurations that differ in all that a Config can say.
func kinds() map[string]Config {
	plain := Config{
		Layers: 3, Hidden: 24, Intermediate: 20, Heads: 4, KVHeads: 2, HeadDim: 8, Vocabulary: 50, Epsilon: 1e-6,
		Activation: "silu", EmbedScale: 1, AttentionScale: 0.3, Windows: make([]int, 3),
		Rotary: []Rotary{{1e4, 1}, {1e4, 1}, {1e4, 1}},
	}
	qwen := plain
	qwen.QKVBias, qwen.Sections = true, []int{1, 1, 2}
	windows := plain
	windows.Windows, windows.KVHeads, windows.Activation = []int{3, 3, 3}, 4, "gelu"
	gemma2 := plain
	gemma2.UnitOffset, gemma2.PostNorms, gemma2.TiedHead, gemma2.Activation = true, true, true, "gelu_pytorch_tanh"
	gemma2.AttentionCap, gemma2.LogitCap, gemma2.Windows, gemma2.EmbedScale = 5, 3, []int{4, 0, 4}, 5
	gemma3 := gemma2
	gemma3.AttentionCap, gemma3.LogitCap, gemma3.QKNorm, gemma3.KVHeads, gemma3.HeadDim = 0, 0, true, 1, 10
	gemma3.Rotary = []Rotary{{1e4, 1}, {1e6, 8}, {1e4, 1}}
	llama := plain
	llama.QKVBias, llama.OutBias, llama.MLPBias = true, true, true
	return map[string]Config{"llama": llama, "qwen": qwen, "windows": windows, "gemma2": gemma2, "gemma3": gemma3}
}

// onEach runs a test with a random model of each kind on the pure Go backend,
// which compiles nothing.
func onEach(t *testing.T, test func(t *testing.T, b bench)) {
	for name, cfg := range kinds() {
		t.Run("go/"+name, func(t *testing.T) { test(t, newBench(t, "go", cfg, dtypes.Float32)) })
	}
}

// bench is a random model with a sequence to run through it.
type bench struct {
	rt                        *backends.Runtime
	m                         *Decoder
	rng                       *rand.Rand
	embeds, positions, groups *tensors.Tensor
}

const length, cut = 9, 5 // of the sequence, and of its first part

func newBench(t testing.TB, backend string, cfg Config, dtype dtypes.DType) bench {
	rt, err := backends.Open(context.Background(), backends.Options{Backend: backend, NoDownload: true})
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { require.NoError(t, rt.Close()) })
	require.NoError(t, cfg.check())
	b := bench{rt: rt, rng: rand.New(rand.NewPCG(1, 2))}
	c := weights.NewCursor(drawn{rt.Store, b.rng, dtype})
	b.m = NewWithHead(c.In("model"), c.In("lm_head"), cfg)
	require.NoError(t, c.Err())
	b.embeds = b.sequence(2)
	axes := max(1, len(cfg.Sections))
	var positions []int32
	for axis := range axes {
		for i := range length {
			positions = append(positions, int32(i+axis*(i%3)))
		}
	}
	b.positions = tensors.FromFlatDataAndDimensions(positions, axes, length)
	b.groups = tensors.FromValue([]int32{0, 1, 1, 1, 0, 0, 2, 2, 0})
	return b
}

// sequence draws embeddings.
func (b bench) sequence(batch int) *tensors.Tensor {
	h := b.m.config.Hidden
	return tensors.FromFlatDataAndDimensions(normal(b.rng, 1, batch, length, h), batch, length, h)
}

// run executes a graph of the bench's tensors and others.
func (b bench) run(t testing.TB, build func(in Span, more []*Node) []*Node, more ...any) [][]float32 {
	t.Helper()
	return b.execute(t, func(in []*Node) []*Node {
		return build(Span{Embeds: in[0], Positions: in[1], Groups: in[2]}, in[3:])
	}, append([]any{b.embeds, b.positions, b.groups}, more...)...)
}

func (b bench) execute(t testing.TB, build func(in []*Node) []*Node, inputs ...any) (values [][]float32) {
	t.Helper()
	exec, err := model.NewExec(b.rt.Backend, b.rt.Store, func(_ *model.Scope, in []*Node) []*Node {
		out := build(in)
		for i, x := range out {
			out[i] = ConvertDType(x, dtypes.Float32)
		}
		return out
	})
	require.NoError(t, err)
	defer exec.Finalize()
	out, err := exec.Call(inputs...)
	require.NoError(t, err)
	for _, x := range out {
		values = append(values, tensors.MustCopyFlatData[float32](x))
	}
	return values
}

// part is the span's tokens from one to another.
func part(s Span, from, to int) Span {
	p := Span{Embeds: Slice(s.Embeds, AxisRange(), AxisRange(from, to)), Checkpoint: s.Checkpoint}
	p.Positions = Slice(s.Positions, AxisRange(), AxisRange(from, to))
	if s.Groups != nil {
		p.Groups = Slice(s.Groups, AxisRange(from, to))
	}
	return p
}

// scored returns logits and the gradient of a sum of them in the embeddings.
func scored(m *Decoder, hidden, embeds *Node) []*Node {
	logits := m.Logits(hidden)
	return []*Node{logits, Gradient(ReduceAllSum(Square(logits)), embeds)[0]}
}

func close(t testing.TB, want, got [][]float32) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		require.NoError(t, golden.Close(got[i], want[i], 2e-5), "output %d", i)
	}
}

// TestPast: a sequence in two parts, with and without checkpoints, is the whole.
func TestPast(t *testing.T) {
	test := func(t *testing.T, b bench) {
		whole := b.run(t, func(in Span, _ []*Node) []*Node {
			h, past := b.m.Apply(nil, in, nil)
			assert.Equal(t, length, past.Len())
			return scored(b.m, h, in.Embeds)
		})
		for _, checkpoint := range []bool{false, true} {
			parts := b.run(t, func(in Span, _ []*Node) []*Node {
				in.Checkpoint = checkpoint
				h1, past := b.m.Apply(nil, part(in, 0, cut), nil)
				assert.Equal(t, cut, past.Len())
				h2, _ := b.m.Apply(nil, part(in, cut, length), past)
				return scored(b.m, Concatenate([]*Node{h1, h2}, 1), in.Embeds)
			})
			close(t, whole, parts)
		}
	}
	onEach(t, test)
	t.Run("xla:cpu/gemma3", func(t *testing.T) { test(t, newBench(t, "xla:cpu", kinds()["gemma3"], dtypes.Float32)) })
}

// TestSharedPast: questions that share a past do not see each other, and their
// gradients in it add up.
func TestSharedPast(t *testing.T) {
	onEach(t, func(t *testing.T, b bench) {
		second := b.sequence(2)
		loss := func(h *Node) *Node { return ReduceAllSum(Square(b.m.Logits(h))) }
		graph := func(share bool) [][]float32 {
			return b.run(t, func(in Span, more []*Node) []*Node {
				in.Groups = nil
				prefix := part(in, 0, cut)
				prefix.Checkpoint = share
				_, past := b.m.Apply(nil, prefix, nil)
				sum := Const(in.Embeds.Graph(), float32(0))
				for _, embeds := range []*Node{in.Embeds, more[0]} {
					s := in
					s.Embeds = Concatenate([]*Node{prefix.Embeds, Slice(embeds, AxisRange(), AxisRange(cut))}, 1)
					if share {
						h, _ := b.m.Apply(nil, part(s, cut, length), past)
						sum = Add(sum, loss(h))
						continue
					}
					h, _ := b.m.Apply(nil, s, nil)
					sum = Add(sum, loss(Slice(h, AxisRange(), AxisRange(cut))))
				}
				return append(Gradient(sum, in.Embeds, more[0]), sum)
			}, second)
		}
		close(t, graph(false), graph(true))
	})
}

// TestBatch: what else is in the batch changes nothing.
func TestBatch(t *testing.T) {
	onEach(t, func(t *testing.T, b bench) {
		out := b.run(t, func(in Span, _ []*Node) []*Node {
			both, _ := b.m.Apply(nil, in, nil)
			rows := []*Node{both}
			for k := range 2 {
				s := in
				s.Embeds = Slice(in.Embeds, AxisElem(k))
				s.Positions = InsertAxes(in.Positions, 1)
				s.Groups = InsertAxes(in.Groups, 0)
				h, _ := b.m.Apply(nil, s, nil)
				rows = append(rows, h)
			}
			return rows
		})
		close(t, out[:1], [][]float32{append(out[1], out[2]...)})
	})
}

// TestPadding: padding on the right changes nothing before it, and nothing after
// it but for the places of tokens, which windows count.
func TestPadding(t *testing.T) {
	onEach(t, func(t *testing.T, b bench) {
		const padding = 3
		out := b.run(t, func(in Span, _ []*Node) []*Node {
			in.Groups = nil
			plain, _ := b.m.Apply(nil, in, nil)
			first, second := part(in, 0, cut), part(in, cut, length)
			first.Embeds = Concatenate([]*Node{first.Embeds, Slice(in.Embeds, AxisRange(), AxisRange(0, padding))}, 1)
			first.Positions = Concatenate([]*Node{first.Positions, Slice(in.Positions, AxisRange(), AxisRange(0, padding))}, 1)
			first.Valid = Const(in.Embeds.Graph(), []bool{true, true, true, true, true, false, false, false})
			h1, past := b.m.Apply(nil, first, nil)
			h2, _ := b.m.Apply(nil, second, past)
			before := Slice(h1, AxisRange(), AxisRange(0, cut))
			return []*Node{Slice(plain, AxisRange(), AxisRange(0, cut)), Slice(plain, AxisRange(), AxisRange(cut)), before, h2, h1}
		})
		close(t, out[:1], out[2:3])
		if b.m.config.Windows[0] == 0 {
			close(t, out[1:2], out[3:4])
		}
		for _, v := range out[4] {
			require.False(t, math.IsNaN(float64(v)))
		}
	})
}

// TestCache: written token by token into a cache that crosses graphs, with room
// left at the end, a sequence is the whole.
func TestCache(t *testing.T) {
	onEach(t, func(t *testing.T, b bench) {
		const capacity = length + 2
		whole := b.run(t, func(in Span, _ []*Node) []*Node {
			in.Groups = nil
			h, _ := b.m.Apply(nil, in, nil)
			return []*Node{h}
		})[0]
		exec := func(build func(in []*Node) []*Node) *model.Exec {
			e, err := model.NewExec(b.rt.Backend, b.rt.Store, func(_ *model.Scope, in []*Node) []*Node { return build(in) })
			require.NoError(t, err)
			return e
		}
		span := func(in []*Node, from, to int) Span { return part(Span{Embeds: in[0], Positions: in[1]}, from, to) }
		first := exec(func(in []*Node) []*Node {
			h, past := b.m.Apply(nil, span(in, 0, cut), nil)
			return append([]*Node{h}, past.Cache(capacity).Nodes()...)
		})
		compiled := 0
		step := exec(func(in []*Node) []*Node {
			compiled++
			h, past := b.m.Apply(nil, Span{Embeds: in[0], Positions: in[1]}, CacheOf(in[2:]))
			return append([]*Node{h}, past.Nodes()...)
		})
		out := first.MustCall(b.embeds, b.positions)
		rows := [][]float32{tensors.MustCopyFlatData[float32](out[0])}
		for i := cut; i < length; i++ {
			token := b.token(t, i)
			for _, x := range out[1:] {
				token = append(token, x)
			}
			out = step.MustCall(token...)
			rows = append(rows, tensors.MustCopyFlatData[float32](out[0]))
		}
		assert.Equal(t, 1, compiled)
		close(t, [][]float32{whole}, [][]float32{interleave(rows, b.m.config.Hidden)})
	})
}

// token returns embedding and position of one token.
func (b bench) token(t testing.TB, i int) []any {
	out := b.execute(t, func(in []*Node) []*Node {
		s := part(Span{Embeds: in[0], Positions: in[1]}, i, i+1)
		return []*Node{s.Embeds, s.Positions}
	}, b.embeds, b.positions)
	positions := make([]int32, len(out[1]))
	for k, p := range out[1] {
		positions[k] = int32(p)
	}
	return []any{
		tensors.FromFlatDataAndDimensions(out[0], 2, 1, b.m.config.Hidden),
		tensors.FromFlatDataAndDimensions(positions, len(positions), 1),
	}
}

// interleave joins parts [2, ?, hidden] along the second axis.
func interleave(parts [][]float32, hidden int) (all []float32) {
	for row := range 2 {
		for _, p := range parts {
			all = append(all, p[row*len(p)/2:(row+1)*len(p)/2]...)
		}
	}
	return all
}

func half(x *tensors.Tensor) *tensors.Tensor {
	values := tensors.MustCopyFlatData[float32](x)
	out := make([]bfloat16.BFloat16, len(values))
	for i, v := range values {
		out[i] = bfloat16.FromFloat32(v)
	}
	return tensors.FromFlatDataAndDimensions(out, x.Shape().Dimensions...)
}

// TestHalfPrecision: bfloat16 gives finite numbers near those of float32.
func TestHalfPrecision(t *testing.T) {
	for name, backend := range map[string]string{"qwen": "go", "gemma2": "go", "gemma3": "xla:cpu"} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, backend, kinds()[name], dtypes.BFloat16)
			out := b.run(t, func(in Span, more []*Node) (out []*Node) {
				for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.BFloat16} {
					s := in
					s.Checkpoint = dtype == dtypes.BFloat16
					s.Embeds = ConvertDType(Add(in.Embeds, ConvertDType(b.m.Embed(more[0], dtype), dtypes.Float32)), dtype)
					h, past := b.m.Apply(nil, s, nil)
					assert.Equal(t, dtype, h.DType())
					assert.Equal(t, dtype, past.Keys[0].DType())
					logits := b.m.Logits(h)
					assert.Equal(t, dtypes.Float32, logits.DType())
					out = append(out, logits, Gradient(ReduceAllSum(Square(logits)), in.Embeds)[0])
					if dtype == dtypes.BFloat16 { // of the same hidden states
						out = append(out, b.m.Logits(ConvertDType(h, dtypes.Float32)))
					}
				}
				return out
			}, [][]int32{{1, 2, 3, 4, 5, 6, 7, 8, 49}, {0, 0, 0, 0, 0, 0, 0, 0, 0}})
			for i := range 2 {
				require.NoError(t, golden.Close(out[i+2], out[i], 0.1))
			}
			require.NoError(t, golden.Close(out[2], out[4], 1e-5), "logits are rounded")
		})
	}
}

// TestMisuse: what cannot be is a panic that says so.
func TestMisuse(t *testing.T) {
	b := newBench(t, "go", kinds()["qwen"], dtypes.Float32)
	for want, build := range map[string]func(in Span){
		"want [batch, tokens, 24]": func(in Span) {
			b.m.Apply(nil, Span{Embeds: Slice(in.Embeds, AxisElem(0), AxisRange(), AxisRange(0, 3))}, nil)
		},
		"positions are [2 9]":  func(in Span) { in.Positions = Slice(in.Positions, AxisRange(0, 2)); b.m.Apply(nil, in, nil) },
		"no head":              func(in Span) { (&Decoder{config: b.m.config}).Logits(in.Embeds) },
		"only a cache crosses": func(in Span) { _, p := b.m.Apply(nil, in, nil); p.Nodes() },
		"cache of 8 places":    func(in Span) { _, p := b.m.Apply(nil, in, nil); p.Cache(length - 1) },
		"behind a cache":       func(in Span) { _, p := b.m.Apply(nil, in, nil); b.m.Apply(nil, in, p.Cache(length)) },
		"are no cache":         func(in Span) { CacheOf([]*Node{in.Embeds}) },
		"past of batch 2": func(in Span) {
			_, p := b.m.Apply(nil, in, nil)
			in.Embeds = Slice(in.Embeds, AxisElem(0))
			b.m.Apply(nil, in, p)
		},
		"past of 1 layers": func(in Span) {
			_, p := b.m.Apply(nil, in, nil)
			b.m.Apply(nil, in, &Past{Keys: p.Keys[:1], Values: p.Values[:1]})
		},
	} {
		t.Run(want, func(t *testing.T) {
			exec, err := model.NewExec(b.rt.Backend, b.rt.Store, func(_ *model.Scope, in []*Node) *Node {
				build(Span{Embeds: in[0], Positions: in[1]})
				return in[0]
			})
			require.NoError(t, err)
			_, err = exec.Call(b.embeds, b.positions)
			require.ErrorContains(t, err, want)
		})
	}
}
