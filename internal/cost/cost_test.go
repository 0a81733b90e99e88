package cost

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors/images"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
)

// built is the cost of a graph of inputs of float32 [n, n]; those called w... are weights.
func built(t *testing.T, n int, names string, build func(in []*Node) []*Node) Cost {
	t.Helper()
	backend, err := gobackend.New("ops_sequential")
	require.NoError(t, err)
	g := NewGraph(backend, "test")
	var in []*Node
	for k, name := range strings.Fields(names) {
		in = append(in, Parameter(g, fmt.Sprint(name, k), shapes.Make(dtypes.Float32, n, n)))
	}
	return Of(build(in), func(name string) bool { return strings.HasPrefix(name, "w") })
}

func TestMemory(t *testing.T) {
	const n = 64
	const matrix = 4 * n * n // bytes
	one := func(x *Node) []*Node { return []*Node{x} }
	for name, test := range map[string]struct {
		in      string
		build   func(in []*Node) []*Node
		scratch int64
	}{
		"number by number": {"a b", func(in []*Node) []*Node { return one(Tanh(Add(Mul(in[0], in[1]), in[0]))) }, 0},
		"another shape":    {"a", func(in []*Node) []*Node { return one(Neg(Reshape(in[0], n*n))) }, 0},
		"a product":        {"a w", func(in []*Node) []*Node { return one(MatMul(in[0], in[1])) }, 0},
		"two products":     {"a w v", func(in []*Node) []*Node { return one(MatMul(MatMul(in[0], in[1]), in[2])) }, matrix},
		"three products": {"a w v u", func(in []*Node) []*Node {
			return one(MatMul(MatMul(MatMul(in[0], in[1]), in[2]), in[3]))
		}, 2 * matrix},
		"a product of what is made": {"a w", func(in []*Node) []*Node { return one(MatMul(Neg(in[0]), in[1])) }, matrix},
		"over a dead input": {"a w v", func(in []*Node) []*Node {
			return one(MatMul(Exp(MatMul(in[0], in[1])), in[2]))
		}, matrix},
		"kept for later": {"a w v", func(in []*Node) []*Node {
			x := MatMul(in[0], in[1])
			return one(Add(MatMul(MatMul(x, in[2]), in[2]), x))
		}, 3 * matrix},
		"dear and used twice": {"a", func(in []*Node) []*Node {
			x := Exp(in[0])
			return []*Node{Neg(x), Abs(x)}
		}, matrix},
		"cheap and used twice": {"a", func(in []*Node) []*Node {
			x := Neg(in[0])
			return []*Node{Exp(x), Abs(x)}
		}, 0},
		"a sum of what is made for it": {"a b", func(in []*Node) []*Node { return one(ReduceAllSum(Mul(in[0], in[1]))) }, 0},
		"converted twice": {"w", func(in []*Node) []*Node {
			half := func() *Node { return ConvertDType(in[0], dtypes.Float16) }
			return []*Node{MatMul(half(), half()), MatMul(half(), Reshape(half(), n, n))}
		}, matrix / 2},
		"nobody needs it": {"a w", func(in []*Node) []*Node {
			MatMul(MatMul(in[0], in[1]), in[1])
			return one(Neg(in[0]))
		}, 0},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.scratch, built(t, n, test.in, test.build).Scratch) })
	}
}

func TestInputsAndOutputs(t *testing.T) {
	const n = 8
	c := built(t, n, "a b weight unused", func(in []*Node) []*Node {
		return []*Node{MatMul(Add(in[0], in[1]), in[2]), ReduceAllSum(in[0])}
	})
	require.Equal(t, int64(4*n*n), c.Weights)
	require.Equal(t, int64(2*4*n*n), c.Inputs)
	require.Equal(t, int64(4*n*n+4), c.Outputs)
	require.Equal(t, c.Outputs+c.Scratch, c.Bytes())
}

func TestOperations(t *testing.T) {
	const n = 8
	for name, test := range map[string]struct {
		build func(x *Node) *Node
		want  float64
	}{
		"a product":          {func(x *Node) *Node { return MatMul(x, x) }, 2 * n * n * n},
		"a batch of vectors": {func(x *Node) *Node { return Einsum("bi,bi->b", x, x) }, 2 * n * n},
		"an outer product":   {func(x *Node) *Node { return Einsum("bi,bj->bij", x, x) }, 2 * n * n * n},
		"two axes":           {func(x *Node) *Node { return Einsum("ij,ij->", x, x) }, 2 * n * n},
		"a convolution": {func(x *Node) *Node {
			picture := Reshape(x, 1, n, n/2, 2)
			kernel := Reshape(Slice(x, AxisRange(0, 6), AxisRange(0, 6)), 3, 3, 2, 2)
			return Convolve(picture, kernel).ChannelsAxis(images.ChannelsLast).PadSame().Done()
		}, 2 * (n * n / 2) * 2 * (3 * 3 * 2)},
		"the gradient of a product": {func(x *Node) *Node {
			return Gradient(ReduceAllSum(Square(MatMul(x, x))), x)[0]
		}, 3 * 2 * n * n * n},
		"none": {Tanh, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := built(t, n, "x", func(in []*Node) []*Node { return []*Node{test.build(in[0])} })
			require.Equal(t, test.want, c.Operations)
		})
	}
}

// TestCheckpointing: recomputing takes less memory and more operations.
func TestCheckpointing(t *testing.T) {
	const n, layers = 64, 8
	train := func(recompute bool) Cost {
		return built(t, n, "x"+strings.Repeat(" w", layers), func(in []*Node) []*Node {
			x := in[0]
			for _, w := range in[1:] {
				if recompute {
					x = x.Checkpoint()
				}
				x = Tanh(MatMul(Tanh(MatMul(x, w)), w))
				if recompute {
					x = x.StopCheckpoint()
				}
			}
			return Gradient(ReduceAllSum(x), in[1:]...)
		})
	}
	kept, recomputed := train(false), train(true)
	require.Less(t, float64(recomputed.Scratch), 0.8*float64(kept.Scratch))
	require.Greater(t, recomputed.Operations, kept.Operations)
}

// TestAttention: in one kernel it takes the operations of its products, and leaves no scores behind.
func TestAttention(t *testing.T) {
	const batch, tokens, heads, width = 2, 512, 4, 64
	rt, err := backends.Sketch(t.Context(), backends.Options{Backend: "xla:cuda", Memory: 1 << 30})
	require.NoError(t, err)
	defer rt.Close()
	x := Parameter(NewGraph(rt.Backend, "test"), "x", shapes.Make(dtypes.BFloat16, batch, tokens, heads, width))
	y, _ := BackendFusedScaledDotProductAttention(
		Tanh(x), Exp(x), x, compute.AttentionAxesLayoutBSHD, &compute.ScaledDotProductAttentionConfig{Scale: 1})
	c := Of([]*Node{Gradient(ReduceAllSum(y), x)[0]}, func(string) bool { return false })
	require.Equal(t, float64((2+5)*2*batch*heads*tokens*tokens*width), c.Operations)
	const matrix = 2 * batch * tokens * heads * width // bytes; the scores would take 8 times as many
	require.Greater(t, c.Scratch, int64(4*matrix))    // two made inputs, the result, the three gradients
	require.Less(t, c.Scratch, int64(8*matrix))
}

// TestBarrier: numbers that are converted twice are converted once and kept, unless a barrier has the second time wait.
func TestBarrier(t *testing.T) {
	const n = 64
	const matrix = 8 * n * n // bytes of a converted one
	scratch := func(wait bool) int64 {
		return built(t, n, "a w1 w2 w3", func(in []*Node) []*Node {
			x := ConvertDType(in[0], dtypes.Float64)
			times := func(w *Node) { x = MatMul(x, ConvertDType(w, dtypes.Float64)) }
			times(in[1])
			times(in[2])
			times(in[3])
			if wait {
				in[1] = SchedulingBarrier(in[1], x)
			}
			times(in[1])
			return []*Node{Neg(x)}
		}).Scratch
	}
	require.EqualValues(t, 4*matrix, scratch(false))
	require.EqualValues(t, 3*matrix, scratch(true))
}
