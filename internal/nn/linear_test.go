package nn

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

func TestLinear(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, c weights.Cursor, rng *rand.Rand) {
		l := NewLinear(c.In("l"), 3, 2, Bias)
		require.NoError(t, c.Err())
		x := random(rng, 2, 2, 3)
		got := flat(run(t, rt, func(in []*Node) []*Node { return []*Node{l.Apply(Pass{}, in[0])} }, x)[0])
		w, b, xs := flat(l.Weight.MustValue()), flat(l.Bias.MustValue()), flat(x)
		for row := range 4 {
			for o := range 2 {
				want := b[o]
				for i := range 3 {
					want += xs[row*3+i] * w[o*3+i]
				}
				assert.InDelta(t, want, got[row*2+o], 1e-5)
			}
		}
	})
}

// TestLinearKeepsFrozenWeights looks for a copy of the weight in float32, which
// would double the memory of a model in bfloat16.
func TestLinearKeepsFrozenWeights(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, c weights.Cursor, rng *rand.Rand) {
		const batch, in, out = 3, 5, 7
		l := NewLinear(c.In("layer"), in, out, Bias)
		require.NoError(t, c.Err())
		var half []bfloat16.BFloat16 // as from such a checkpoint
		for _, v := range flat(random(rng, out, in)) {
			half = append(half, bfloat16.FromFloat32(v))
		}
		var err error
		l.Weight, err = rt.Store.CreateVariable("/half", tensors.FromFlatDataAndDimensions(half, out, in))
		require.NoError(t, err)
		var copies []string
		x := random(rng, batch, in)
		results := run(t, rt, func(nodes []*Node) []*Node {
			x := ConvertDType(nodes[0], dtypes.BFloat16)
			loss := ReduceAllSum(Square(ConvertDType(l.Apply(Pass{}, x), dtypes.Float32)))
			before := len(x.Graph().Nodes())
			gradient := Gradient(loss, x)[0]
			for _, n := range x.Graph().Nodes()[before:] {
				if n.DType() == dtypes.Float32 && n.Shape().Size() == in*out {
					copies = append(copies, n.String())
				}
			}
			return []*Node{ConvertDType(gradient, dtypes.Float32), Gradient(ReduceAllSum(Square(l.Apply(Pass{}, nodes[0]))), nodes[0])[0]}
		}, x)
		require.Empty(t, copies)
		got, full := results[0].Value().([][]float32), results[1].Value().([][]float32)
		for i := range full {
			require.InDeltaSlice(t, full[i], got[i], 0.5)
		}
	})
}

func TestEmbedding(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, c weights.Cursor, _ *rand.Rand) {
		e := NewEmbedding(c.In("words"), 4, 2)
		require.NoError(t, c.Err())
		ids := tensors.FromFlatDataAndDimensions([]int32{3, 0}, 1, 2)
		out := run(t, rt, func(in []*Node) []*Node { return []*Node{e.Apply(Pass{}, in[0], dtypes.Float32)} }, ids)[0]
		table := flat(e.Weight.MustValue())
		assert.Equal(t, dtypes.Float32, out.DType())
		assert.Equal(t, append(append([]float32{}, table[6:8]...), table[:2]...), flat(out))
	})
}

// TestConvertedWeightsAreMadeAgain: a weight in another dtype than the input's is converted
// for the way forth, and again for the way back, so that no copy waits in between; a block
// that is recomputed sees to it itself.
func TestConvertedWeightsAreMadeAgain(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, c weights.Cursor, rng *rand.Rand) {
		const batch, width, layers = 2, 4, 3
		var stack []*Linear
		for k := range layers {
			stack = append(stack, NewLinear(c.In(fmt.Sprint("layer", k)), width, width, Bias))
		}
		require.NoError(t, c.Err())
		for _, recompute := range []bool{false, true} {
			x := random(rng, batch, width)
			converted := map[string]int{}
			results := run(t, rt, func(nodes []*Node) []*Node {
				through := func(x *Node) *Node {
					for _, l := range stack {
						f := Pass{Checkpoint: recompute}
						h := f.Enter(x)
						x = f.Leave(Add(h, Tanh(l.Apply(f, h))))
					}
					return x
				}
				half := ConvertDType(nodes[0], dtypes.BFloat16) // the weights are float32
				loss := ReduceAllSum(ConvertDType(Square(through(half)), dtypes.Float32))
				before := len(loss.Graph().Nodes())
				got := Gradient(loss, nodes[0])[0]
				for k, n := range loss.Graph().Nodes() {
					if n.Type() == NodeTypeConvertDType && n.DType() == dtypes.BFloat16 && n.Shape().Size() == width*width {
						converted[map[bool]string{true: "forth", false: "back"}[k < before]]++
					}
				}
				plain := Gradient(ReduceAllSum(Square(through(nodes[0]))), nodes[0])[0]
				return []*Node{got, plain}
			}, x)
			require.Equal(t, map[string]int{"forth": layers, "back": layers}, converted)
			got, want := results[0].Value().([][]float32), results[1].Value().([][]float32)
			for i := range want {
				require.InDeltaSlice(t, want[i], got[i], 0.3)
			}
		}
	})
}

// TestLinearInt8: a weight in int8 computes what its numbers times their rows' scales do, gradient included,
// in float32 and in bfloat16.
func TestLinearInt8(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, c weights.Cursor, rng *rand.Rand) {
		const batch, in, out = 3, 5, 7
		plain := NewLinear(c.In("layer"), in, out, Bias)
		require.NoError(t, c.Err())
		whole, scale := weights.Int8(flat(plain.Weight.MustValue()), out)
		rounded := &Linear{Name: "rounded", Bias: plain.Bias}
		var err error
		rounded.Weight, err = rt.Store.CreateVariable("/whole", tensors.FromFlatDataAndDimensions(whole, out, in))
		require.NoError(t, err)
		rounded.Scale, err = rt.Store.CreateVariable("/scale", tensors.FromFlatDataAndDimensions(scale, out))
		require.NoError(t, err)
		back := make([]float32, len(whole))
		for i, w := range whole {
			back[i] = float32(w) * scale[i/in]
		}
		require.NoError(t, plain.Weight.SetValue(tensors.FromFlatDataAndDimensions(back, out, in)))
		for dtype, tolerance := range map[dtypes.DType]float64{dtypes.Float32: 1e-5, dtypes.BFloat16: 0.05} {
			compute := func(l *Linear) func(in []*Node) []*Node {
				return func(in []*Node) []*Node {
					y := ConvertDType(l.Apply(Pass{}, ConvertDType(in[0], dtype)), dtypes.Float32)
					return []*Node{y, Gradient(ReduceAllSum(Sin(y)), in[0])[0]}
				}
			}
			x := random(rng, batch, in)
			want, got := run(t, rt, compute(plain), x), run(t, rt, compute(rounded), x)
			for k := range want {
				require.InDeltaSlice(t, flat(want[k]), flat(got[k]), tolerance)
			}
		}
	})
}
