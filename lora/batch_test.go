package lora

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/core/tensors/images"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
)

// sideBySide executes a graph function of the delta of a batch, one adapter and
// weight for each picture, and inputs.
func sideBySide(t *testing.T, b compute.Backend, adapters []*Adapter, weights []float64, inputs []*tensors.Tensor, fn func(d *Delta, in []*Node) []*Node) ([]*tensors.Tensor, error) {
	t.Helper()
	var args []any
	var scales [][]float32
	for k, a := range adapters {
		for _, p := range a.Params() {
			args = append(args, p)
		}
		scales = append(scales, a.Scales(weights[k]))
	}
	args = append(args, scales)
	for _, in := range inputs {
		in, err := in.LocalClone()
		require.NoError(t, err)
		args = append(args, in)
	}
	exec, err := NewExec(b, func(nodes []*Node) []*Node {
		var params [][]*Node
		for range adapters {
			n := 2 * len(adapters[0].parts)
			params = append(params, nodes[:n])
			nodes = nodes[n:]
		}
		return fn(adapters[0].BatchDelta(params, nodes[0]), nodes[1:])
	})
	require.NoError(t, err)
	defer exec.Finalize()
	var out []*tensors.Tensor
	if panicked := backends.Try(func() { out, err = exec.Call(args...) }); panicked != nil {
		return nil, panicked
	}
	return out, err
}

// several returns adapters of one shape and different numbers and alphas.
func several(t *testing.T, layers ...Layer) []*Adapter {
	var all []*Adapter
	for k := range 3 {
		all = append(all, filled(t, Config{Rank: 2, Alpha: float64(k + 1), Seed: int64(k)}, layers...))
		require.Equal(t, all[0].Shape(), all[k].Shape())
	}
	require.NotEqual(t, all[0].Form(), all[1].Form(), "alphas differ")
	return all
}

func convolution(first bool) Convolution {
	axis := images.ChannelsLast
	if first {
		axis = images.ChannelsFirst
	}
	return Convolution{Kernel: [2]int{3, 3}, ChannelsFirst: first, Apply: func(x, kernel *Node) *Node {
		if !first {
			kernel = TransposeAllAxes(kernel, 2, 3, 1, 0)
		}
		return Convolve(x, kernel).ChannelsAxis(axis).Strides(2).PaddingPerDim([][2]int{{1, 1}, {1, 1}}).Done()
	}}
}

// TestBatchDelta compares each picture of a batch with the same picture alone, by the
// same adapter.
func TestBatchDelta(t *testing.T) {
	adapters := several(t, Layer{Name: "l", In: 5, Out: 4}, Layer{Name: "c", In: 3, Out: 4, Kernel: [2]int{3, 3}})
	weights := []float64{2, 0, -.5}
	rng := rand.New(rand.NewPCG(7, 0))
	forward := func(d *Delta, in []*Node) []*Node {
		last := func(x *Node) *Node { return TransposeAllAxes(x, 0, 2, 3, 1) }
		return []*Node{
			d.Linear("l", in[0], in[1]),
			d.Linear("l", Reshape(in[0], -1, 3, 2, 5), Reshape(in[1], -1, 3, 2, 4)),
			d.Linear("l", ReduceSum(in[0], 1), ReduceSum(in[1], 1)),
			d.Conv("c", in[2], in[3], convolution(true)),
			d.Conv("c", last(in[2]), last(in[3]), convolution(false)),
		}
	}
	for _, times := range []int{1, 2} {
		in := []*tensors.Tensor{
			random(rng, 3*times, 6, 5), random(rng, 3*times, 6, 4), random(rng, 3*times, 3, 6, 5), random(rng, 3*times, 4, 3, 3),
		}
		eachBackend(t, func(t *testing.T, b compute.Backend) {
			got, err := sideBySide(t, b, adapters, weights, in, func(d *Delta, in []*Node) []*Node {
				return forward(d.Repeat(times), in)
			})
			require.NoError(t, err)
			for k, a := range adapters {
				want := run(t, b, a, weights[k], in, func(d *Delta, in, _ []*Node) []*Node { return forward(d, in) })
				for output := range want {
					all, size := flat(t, got[output]), want[output].Size()/(3*times)
					for row := k; row < 3*times; row += 3 {
						near(t, float64s(flat(t, want[output])[row*size:(row+1)*size]), all[row*size:(row+1)*size], 1e-6)
					}
				}
			}
		})
	}
}

func float64s(values []float32) []float64 {
	out := make([]float64, len(values))
	for k, v := range values {
		out[k] = float64(v)
	}
	return out
}

// TestBatchDeltaOfTheBaseModel has an adapter whose products are infinite beside a
// picture of the base model.
func TestBatchDeltaOfTheBaseModel(t *testing.T) {
	a := filled(t, Config{Rank: 2}, Layer{Name: "l", In: 5, Out: 4})
	params := a.Params()
	for k := range params {
		tensors.MustMutableFlatData(params[k], func(values []float32) {
			for i := range values {
				values[i] = math.MaxFloat32
			}
		})
	}
	huge, err := a.WithParams(params)
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(8, 0))
	in := []*tensors.Tensor{random(rng, 2, 5), random(rng, 2, 4)}
	eachBackend(t, func(t *testing.T, b compute.Backend) {
		out, err := sideBySide(t, b, []*Adapter{huge, huge}, []float64{1, 0}, in, func(d *Delta, in []*Node) []*Node {
			return []*Node{d.Linear("l", in[0], in[1])}
		})
		require.NoError(t, err)
		require.Equal(t, flat(t, in[1])[4:], flat(t, out[0])[4:], "exactly")
	})
}

func TestBatchDeltaWantsTheBatch(t *testing.T) {
	adapters := several(t, Layer{Name: "time.l", In: 5, Out: 4})
	rng := rand.New(rand.NewPCG(9, 0))
	eachBackend(t, func(t *testing.T, b compute.Backend) {
		for name, fn := range map[string]func(d *Delta, in []*Node) *Node{
			"one row for all": func(d *Delta, in []*Node) *Node {
				return d.Linear("time.l", Slice(in[0], AxisElem(0)), Slice(in[1], AxisElem(0)))
			},
			"guidance, not told": func(d *Delta, in []*Node) *Node { return d.Linear("time.l", twice(in[0]), twice(in[1])) },
			"no batch at all": func(d *Delta, in []*Node) *Node {
				return d.Linear("time.l", Reshape(Slice(in[0], AxisElem(0)), 5), Reshape(Slice(in[1], AxisElem(0)), 4))
			},
			"told, and not twice": func(d *Delta, in []*Node) *Node { return d.Repeat(2).Linear("time.l", in[0], in[1]) },
		} {
			_, err := sideBySide(t, b, adapters, []float64{1, 1, 1}, []*tensors.Tensor{random(rng, 3, 5), random(rng, 3, 4)},
				func(d *Delta, in []*Node) []*Node { return []*Node{fn(d, in)} })
			require.ErrorContains(t, err, `lora: layer "time.l" gets`, name)
		}
	})
	require.Nil(t, (*Delta)(nil).Repeat(2))
	recording := Record().Delta()
	require.Same(t, recording, recording.Repeat(2))
}

func twice(x *Node) *Node { return Concatenate([]*Node{x, x}, 0) }
