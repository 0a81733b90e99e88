package nn

import (
	"math/rand/v2"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/weights"
	"github.com/dualprocess/dualprocess-go/lora"
)

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

// TestAdaptedConv2D compares an adapted convolution with one whose kernel has the
// adapter's product added.
func TestAdaptedConv2D(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, c weights.Cursor, rng *rand.Rand) {
		const size, in, out, rank, weight = 6, 3, 4, 2, 0.5
		for _, shape := range [][3]int{{3, 1, 1}, {3, 2, 1}, {1, 1, 0}} { // kernel, stride, padding
			l := NewConv2D(c.In("adapted", shape), in, out, Kernel{shape[0], shape[1], shape[2]}, Bias)
			require.NoError(t, c.Err())
			k := shape[0]
			a, err := lora.New(lora.Config{Rank: rank, Alpha: rank}, []lora.Layer{{Name: l.Name, In: in, Out: out, Kernel: [2]int{k, k}}})
			require.NoError(t, err)
			low, high := random(rng, rank, in, k, k), random(rng, out, rank, 1, 1)
			x := random(rng, 1, size, size, in)
			got := run(t, rt, func(n []*Node) []*Node {
				adapted := Pass{Delta: a.Delta(n[1:], Const(n[0].Graph(), float32(weight)))}
				return []*Node{l.Apply(adapted, n[0]), l.Apply(Pass{}, n[0])}
			}, x, low, high)

			kernel := flat(l.Weight.MustValue())
			assert.InDeltaSlice(t, conv2D(flat(x), kernel, flat(l.Bias.MustValue()), size, in, out, k, shape[1], shape[2]), flat(got[1]), 1e-4)
			changed := append([]float32(nil), kernel...)
			for i := range changed {
				o, rest := i/(in*k*k), i%(in*k*k)
				for r := range rank {
					changed[i] += weight * flat(high)[o*rank+r] * flat(low)[r*in*k*k+rest]
				}
			}
			assert.InDeltaSlice(t, conv2D(flat(x), changed, flat(l.Bias.MustValue()), size, in, out, k, shape[1], shape[2]), flat(got[0]), 1e-4, "%v", shape)
		}
	})
}

// TestDepthwiseConv2D compares a depthwise convolution, with and without an
// adapter, with a dense one whose kernel is zero between different channels.
func TestDepthwiseConv2D(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, c weights.Cursor, rng *rand.Rand) {
		const size, channels, rank, weight = 6, 3, 2, 0.5
		for _, k := range []int{3, 5} {
			l := NewDepthwiseConv2D(c.In("depthwise", k), channels, k, Bias)
			require.NoError(t, c.Err())
			a, err := lora.New(lora.Config{Rank: rank, Alpha: rank}, []lora.Layer{{Name: l.Name, In: channels, Out: channels, Kernel: [2]int{k, k}}})
			require.NoError(t, err)
			low, high := random(rng, rank, channels, k, k), random(rng, channels, rank, 1, 1)
			x := random(rng, 1, size, size, channels)
			got := run(t, rt, func(n []*Node) []*Node {
				y := l.Apply(Pass{Delta: a.Delta(n[1:], Const(n[0].Graph(), float32(weight)))}, n[0])
				return []*Node{l.Apply(Pass{}, n[0]), y, Gradient(ReduceAllSum(y), n[1])[0]}
			}, x, low, high)

			area, bias := k*k, flat(l.Bias.MustValue())
			dense := make([]float32, channels*channels*area)
			for ch := range channels {
				copy(dense[ch*(channels+1)*area:], flat(l.Weight.MustValue())[ch*area:(ch+1)*area])
			}
			assert.InDeltaSlice(t, conv2D(flat(x), dense, bias, size, channels, channels, k, 1, k/2), flat(got[0]), 1e-4)
			for i := range dense {
				o, rest := i/(channels*area), i%(channels*area)
				for r := range rank {
					dense[i] += weight * flat(high)[o*rank+r] * flat(low)[r*channels*area+rest]
				}
			}
			assert.InDeltaSlice(t, conv2D(flat(x), dense, bias, size, channels, channels, k, 1, k/2), flat(got[1]), 1e-4)
			assert.NotContains(t, flat(got[2]), float32(0))
		}
	})
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
