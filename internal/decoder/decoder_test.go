package decoder

import (
	"math"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/nn"
)

// TestPast: a sequence in two parts, with and without checkpoints, is the whole.
func TestPast(t *testing.T) {
	test := func(t *testing.T, b bench) {
		whole := b.run(t, func(in Span, _ []*Node) []*Node {
			h, past := b.m.Apply(nn.Pass{}, in, nil)
			assert.Equal(t, length, past.Len())
			return scored(b.m, h, in.Embeds)
		})
		for _, checkpoint := range []bool{false, true} {
			parts := b.run(t, func(in Span, _ []*Node) []*Node {
				f := nn.Pass{Checkpoint: checkpoint}
				h1, past := b.m.Apply(f, part(in, 0, cut), nil)
				assert.Equal(t, cut, past.Len())
				h2, _ := b.m.Apply(f, part(in, cut, length), past)
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
		loss := func(h *Node) *Node { return ReduceAllSum(Square(b.m.Logits(nn.Pass{}, h))) }
		graph := func(share bool) [][]float32 {
			return b.run(t, func(in Span, more []*Node) []*Node {
				in.Groups = nil
				prefix := part(in, 0, cut)
				f := nn.Pass{Checkpoint: share}
				_, past := b.m.Apply(f, prefix, nil)
				sum := Const(in.Embeds.Graph(), float32(0))
				for _, embeds := range []*Node{in.Embeds, more[0]} {
					s := in
					s.Embeds = Concatenate([]*Node{prefix.Embeds, Slice(embeds, AxisRange(), AxisRange(cut))}, 1)
					if share {
						h, _ := b.m.Apply(f, part(s, cut, length), past)
						sum = Add(sum, loss(h))
						continue
					}
					h, _ := b.m.Apply(nn.Pass{}, s, nil)
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
			both, _ := b.m.Apply(nn.Pass{}, in, nil)
			rows := []*Node{both}
			for k := range 2 {
				s := in
				s.Embeds = Slice(in.Embeds, AxisElem(k))
				s.Positions = InsertAxes(in.Positions, 1)
				s.Groups = InsertAxes(in.Groups, 0)
				h, _ := b.m.Apply(nn.Pass{}, s, nil)
				rows = append(rows, h)
			}
			return rows
		})
		close(t, out[:1], [][]float32{append(out[1], out[2]...)})
	})
}

// TestPadding: padding on the right changes nothing before it, and nothing after
// it but for the places of tokens, which windows and the growth of queries count.
func TestPadding(t *testing.T) {
	onEach(t, func(t *testing.T, b bench) {
		const padding = 3
		out := b.run(t, func(in Span, _ []*Node) []*Node {
			in.Groups = nil
			plain, _ := b.m.Apply(nn.Pass{}, in, nil)
			first, second := part(in, 0, cut), part(in, cut, length)
			first.Embeds = Concatenate([]*Node{first.Embeds, Slice(in.Embeds, AxisRange(), AxisRange(0, padding))}, 1)
			first.Positions = Concatenate([]*Node{first.Positions, Slice(in.Positions, AxisRange(), AxisRange(0, padding))}, 1)
			first.Valid = Const(in.Embeds.Graph(), []bool{true, true, true, true, true, false, false, false})
			h1, past := b.m.Apply(nn.Pass{}, first, nil)
			h2, _ := b.m.Apply(nn.Pass{}, second, past)
			before := Slice(h1, AxisRange(), AxisRange(0, cut))
			return []*Node{Slice(plain, AxisRange(), AxisRange(0, cut)), Slice(plain, AxisRange(), AxisRange(cut)), before, h2, h1}
		})
		close(t, out[:1], out[2:3])
		if b.m.config.Windows[0] == 0 && b.m.config.QueryGrowth == 0 {
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
			h, _ := b.m.Apply(nn.Pass{}, in, nil)
			return []*Node{h}
		})[0]
		exec := func(build func(in []*Node) []*Node) *model.Exec {
			e, err := graphs.NewExecutor(b.rt, func(in []*Node) []*Node { return build(in) })
			require.NoError(t, err)
			return e
		}
		span := func(in []*Node, from, to int) Span { return part(Span{Embeds: in[0], Positions: in[1]}, from, to) }
		first := exec(func(in []*Node) []*Node {
			h, past := b.m.Apply(nn.Pass{}, span(in, 0, cut), nil)
			return append([]*Node{h}, past.Cache(capacity).Nodes()...)
		})
		compiled := 0
		step := exec(func(in []*Node) []*Node {
			compiled++
			h, past := b.m.Apply(nn.Pass{}, Span{Embeds: in[0], Positions: in[1]}, CacheOf(in[2:]))
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

// TestHalfPrecision: bfloat16 gives finite numbers near those of float32.
func TestHalfPrecision(t *testing.T) {
	for name, backend := range map[string]string{"qwen": "go", "gemma2": "go", "gemma3": "xla:cpu"} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, backend, kinds()[name], dtypes.BFloat16)
			out := b.run(t, func(in Span, more []*Node) (out []*Node) {
				for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.BFloat16} {
					s := in
					f := nn.Pass{Checkpoint: dtype == dtypes.BFloat16}
					s.Embeds = ConvertDType(Add(in.Embeds, ConvertDType(b.m.Embed(nn.Pass{}, more[0], dtype), dtypes.Float32)), dtype)
					h, past := b.m.Apply(f, s, nil)
					assert.Equal(t, dtype, h.DType())
					assert.Equal(t, dtype, past.Keys[0].DType())
					logits := b.m.Logits(nn.Pass{}, h)
					assert.Equal(t, dtypes.Float32, logits.DType())
					out = append(out, logits, Gradient(ReduceAllSum(Square(logits)), in.Embeds)[0])
					if dtype == dtypes.BFloat16 { // of the same hidden states
						out = append(out, b.m.Logits(nn.Pass{}, ConvertDType(h, dtypes.Float32)))
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
			b.m.Apply(nn.Pass{}, Span{Embeds: Slice(in.Embeds, AxisElem(0), AxisRange(), AxisRange(0, 3))}, nil)
		},
		"positions are [2 9]":  func(in Span) { in.Positions = Slice(in.Positions, AxisRange(0, 2)); b.m.Apply(nn.Pass{}, in, nil) },
		"no head":              func(in Span) { (&Decoder{config: b.m.config}).Logits(nn.Pass{}, in.Embeds) },
		"only a cache crosses": func(in Span) { _, p := b.m.Apply(nn.Pass{}, in, nil); p.Nodes() },
		"cache of 8 places":    func(in Span) { _, p := b.m.Apply(nn.Pass{}, in, nil); p.Cache(length - 1) },
		"behind a cache":       func(in Span) { _, p := b.m.Apply(nn.Pass{}, in, nil); b.m.Apply(nn.Pass{}, in, p.Cache(length)) },
		"are no cache":         func(Span) { CacheOf(nil) },
		"past of batch 2": func(in Span) {
			_, p := b.m.Apply(nn.Pass{}, in, nil)
			in.Embeds = Slice(in.Embeds, AxisElem(0))
			b.m.Apply(nn.Pass{}, in, p)
		},
		"past of 1 layers": func(in Span) {
			_, p := b.m.Apply(nn.Pass{}, in, nil)
			b.m.Apply(nn.Pass{}, in, &Past{Keys: p.Keys[:1], Values: p.Values[:1]})
		},
	} {
		t.Run(want, func(t *testing.T) { b.panics(t, want, build) })
	}
}

// panics wants a graph to panic with some words.
func (b bench) panics(t *testing.T, want string, build func(in Span)) {
	exec, err := graphs.NewExecutor(b.rt, func(in []*Node) []*Node {
		build(Span{Embeds: in[0], Positions: in[1]})
		return in
	})
	require.NoError(t, err)
	_, err = exec.Call(b.embeds, b.positions)
	require.ErrorContains(t, err, want)
}
