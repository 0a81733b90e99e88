package nn

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// drawn is a weights.Source of random variables.
type drawn struct {
	store *model.Store
	rng   *rand.Rand
}

func (s drawn) Variable(name string, dims ...int) (*model.Variable, error) {
	return s.store.CreateVariable("/"+name, random(s.rng, dims...))
}

func random(rng *rand.Rand, dims ...int) *tensors.Tensor {
	size := 1
	for _, d := range dims {
		size *= d
	}
	values := make([]float32, size)
	for i := range values {
		values[i] = float32(rng.NormFloat64())
	}
	return tensors.FromFlatDataAndDimensions(values, dims...)
}

// onEach runs a test on every backend that this machine has.
func onEach(t *testing.T, test func(t *testing.T, rt *backends.Runtime, c weights.Cursor, rng *rand.Rand)) {
	for _, name := range []string{"go", "xla:cpu"} {
		t.Run(name, func(t *testing.T) {
			rt, err := backends.Open(context.Background(), backends.Options{Backend: name, NoDownload: true})
			if err != nil {
				t.Skip(err)
			}
			defer rt.Close()
			rng := rand.New(rand.NewPCG(1, 2))
			test(t, rt, weights.NewCursor(drawn{rt.Store, rng}), rng)
		})
	}
}

// run executes a graph function on tensors.
func run(t *testing.T, rt *backends.Runtime, fn func(in []*Node) []*Node, args ...any) []*tensors.Tensor {
	t.Helper()
	exec, err := model.NewExec(rt.Backend, rt.Store, func(_ *model.Scope, in []*Node) []*Node { return fn(in) })
	require.NoError(t, err)
	out, err := exec.Call(args...)
	require.NoError(t, err)
	return out
}

// conv2D is the definition of a convolution, on the host.
func conv2D(x, w, b []float32, size, in, out, k, stride, padding int) []float32 {
	side := (size+2*padding-k)/stride + 1
	y := make([]float32, side*side*out)
	for row := range side {
		for col := range side {
			for o := range out {
				sum := b[o]
				for i := range in {
					for ky := range k {
						for kx := range k {
							r, c := row*stride+ky-padding, col*stride+kx-padding
							if r >= 0 && r < size && c >= 0 && c < size {
								sum += x[(r*size+c)*in+i] * w[((o*in+i)*k+ky)*k+kx]
							}
						}
					}
				}
				y[(row*side+col)*out+o] = sum
			}
		}
	}
	return y
}

func TestConv2D(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, c weights.Cursor, rng *rand.Rand) {
		const size, in, out = 8, 3, 5
		for _, shape := range [][3]int{{3, 1, 1}, {4, 2, 1}, {1, 1, 0}, {2, 2, 0}, {3, 2, 1}} { // kernel, stride, padding
			l := NewConv2D(c.In("conv", shape), in, out, Kernel{shape[0], shape[1], shape[2]}, Bias)
			x := random(rng, 1, size, size, in)
			got := run(t, rt, func(in []*Node) []*Node {
				y := l.Apply(Pass{}, in[0])
				return append([]*Node{y}, Gradient(ReduceAllSum(Square(y)), in[0])...)
			}, x)
			want := conv2D(flat(x), flat(l.Weight.MustValue()), flat(l.Bias.MustValue()), size, in, out, shape[0], shape[1], shape[2])
			assert.InDeltaSlice(t, want, flat(got[0]), 1e-4, "%v", shape)
			assert.True(t, finite(flat(got[1])), "gradient of %v", shape)
		}
		require.NoError(t, c.Err())
	})
}

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

func TestNorms(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, c weights.Cursor, rng *rand.Rand) {
		x := random(rng, 4, 6)
		rms := NewRMSNorm(c.In("rms"), 6, 1e-6, NoBias)
		require.NoError(t, c.Err())
		out := run(t, rt, func(in []*Node) []*Node { return []*Node{Normalize(in[0], 1e-6), rms.Apply(Pass{}, in[0])} }, x)
		gain := flat(rms.Weight.MustValue())
		for row := range 4 {
			values := flat(x)[row*6 : row*6+6]
			var mean, square float64
			for _, v := range values {
				mean += float64(v) / 6
				square += float64(v) * float64(v) / 6
			}
			for i, v := range values {
				assert.InDelta(t, (float64(v)-mean)/math.Sqrt(square-mean*mean), flat(out[0])[row*6+i], 1e-4)
				assert.InDelta(t, float64(v)/math.Sqrt(square)*float64(gain[i]), flat(out[1])[row*6+i], 1e-4)
			}
		}
	})
}

// TestAttention hides one key by its bias: the answer is the value of the other.
func TestAttention(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, _ weights.Cursor, rng *rand.Rand) {
		q, k, v := random(rng, 1, 1, 2, 3), random(rng, 1, 2, 2, 3), random(rng, 1, 2, 2, 3)
		bias := tensors.FromFlatDataAndDimensions([]float32{0, -1e9}, 1, 1, 1, 2)
		out := run(t, rt, func(in []*Node) []*Node { return []*Node{Attention(in[0], in[1], in[2], in[3])} }, q, k, v, bias)[0]
		assert.Equal(t, []int{1, 1, 6}, out.Shape().Dimensions)
		assert.InDeltaSlice(t, flat(v)[:6], flat(out), 1e-6)
	})
}

func TestPatches(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, _ weights.Cursor, rng *rand.Rand) {
		x := random(rng, 2, 4, 6, 3)
		out := run(t, rt, func(in []*Node) []*Node {
			p := Patches(in[0], 2)
			return []*Node{p, Unpatch(p, 2)}
		}, x)
		assert.Equal(t, []int{2, 2, 3, 12}, out[0].Shape().Dimensions)
		assert.Equal(t, flat(x), flat(out[1]))
		// The second patch of the first row begins at column 2.
		assert.Equal(t, flat(x)[2*3:4*3], flat(out[0])[12:18])
	})
}

func TestActivations(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, _ weights.Cursor, _ *rand.Rand) {
		x := tensors.FromFlatDataAndDimensions([]float32{-2, 0, 1.5}, 3)
		out := run(t, rt, func(in []*Node) []*Node { return []*Node{SiLU(in[0]), GELUTanh(in[0])} }, x)
		assert.InDeltaSlice(t, []float32{-0.238406, 0, 1.226361}, flat(out[0]), 1e-5)
		assert.InDeltaSlice(t, []float32{-0.045402, 0, 1.399572}, flat(out[1]), 1e-5)
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

func flat(t *tensors.Tensor) []float32 { return tensors.MustCopyFlatData[float32](t) }

func finite(values []float32) bool {
	for _, v := range values {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return false
		}
	}
	return true
}

// TestConvGradient compares the gradient by the input with a difference, which is
// exact for what is linear.
func TestConvGradient(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, c weights.Cursor, rng *rand.Rand) {
		for i, k := range []struct{ kernel, stride, padding, size int }{
			{1, 1, 0, 8}, {3, 1, 1, 8}, {3, 2, 1, 8}, {3, 2, 1, 7}, {3, 2, 0, 9}, {5, 2, 2, 8}, {7, 4, 3, 16}, // odd
			{2, 1, 0, 8}, {2, 2, 0, 8}, {4, 1, 1, 8}, {4, 2, 1, 8}, {4, 3, 1, 8}, {4, 4, 0, 8}, {6, 2, 2, 9}, // even
		} {
			l := NewConv2D(c.In("layer", i), 3, 5, Kernel{k.kernel, k.stride, k.padding}, Bias)
			require.NoError(t, c.Err())
			shape := []int{2, k.size, k.size, 3}
			difference := run(t, rt, func(in []*Node) []*Node {
				loss := func(x *Node) *Node {
					y := l.Apply(Pass{}, x)
					return ReduceAllSum(Mul(y, Sin(IotaFull(x.Graph(), y.Shape()))))
				}
				x, direction := in[0], in[1]
				predicted := ReduceAllSum(Mul(Gradient(loss(x), x)[0], direction))
				return []*Node{predicted, Sub(loss(Add(x, direction)), loss(x))}
			}, random(rng, shape...), random(rng, shape...))
			predicted, real := tensors.ToScalar[float32](difference[0]), tensors.ToScalar[float32](difference[1])
			assert.InDelta(t, real, predicted, 1e-3, "%+v", k)
		}
	})
}
