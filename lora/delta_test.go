package lora

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/gobackend"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/core/tensors/images"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
)

// eachBackend runs a test on pure Go and, where it is installed, XLA CPU.
func eachBackend(t *testing.T, test func(t *testing.T, b compute.Backend)) {
	t.Run("go", func(t *testing.T) {
		b, err := gobackend.New("ops_sequential") // the parallel mode deadlocks
		require.NoError(t, err)
		defer b.Finalize()
		test(t, b)
	})
	t.Run("xla", func(t *testing.T) {
		rt, err := backends.Open(t.Context(), backends.Options{Backend: "xla:cpu", NoDownload: true})
		if err != nil {
			t.Skip(err)
		}
		defer rt.Close()
		test(t, rt.Backend)
	})
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

// filled returns an adapter whose A and B are both random.
func filled(t testing.TB, cfg Config, layers ...Layer) *Adapter {
	t.Helper()
	a, err := New(cfg, layers)
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(1, uint64(cfg.Seed)))
	params := a.Params()
	for i, p := range params {
		params[i] = random(rng, p.Shape().Dimensions...)
	}
	a, err = a.WithParams(params)
	require.NoError(t, err)
	return a
}

// run executes a graph function of an adapter's delta, inputs and params.
func run(t *testing.T, b compute.Backend, a *Adapter, weight float64, inputs []*tensors.Tensor, fn func(d *Delta, in, params []*Node) []*Node) []*tensors.Tensor {
	t.Helper()
	args := []any{weight}
	for _, in := range inputs {
		in, err := in.LocalClone() // a tensor stays tied to the first backend that used it
		require.NoError(t, err)
		args = append(args, in)
	}
	for _, p := range a.Params() {
		args = append(args, p)
	}
	exec, err := NewExec(b, func(nodes []*Node) []*Node {
		params := nodes[1+len(inputs):]
		return fn(a.Delta(params, nodes[0]), nodes[1:1+len(inputs)], params)
	})
	require.NoError(t, err)
	defer exec.Finalize()
	out, err := exec.Call(args...)
	require.NoError(t, err)
	return out
}

func flat(t *testing.T, tensor *tensors.Tensor) []float32 {
	t.Helper()
	v, err := tensors.CopyFlatData[float32](tensor)
	require.NoError(t, err)
	return v
}

// near compares relative to the largest number.
func near(t *testing.T, want []float64, got []float32, tolerance float64) {
	t.Helper()
	require.Len(t, got, len(want))
	largest := 0.0
	for _, v := range want {
		largest = max(largest, math.Abs(v))
	}
	for i := range want {
		require.InDelta(t, want[i], float64(got[i]), tolerance*largest, "number %d", i)
	}
}

// linear is the definition in float64: y + s·B·A·x, and the gradients of the sum
// of g·result with respect to A and B.
func linear(x, y, g []float32, p part, s float64) (out, gradA, gradB []float64) {
	rows := len(x) / p.In
	gradA, gradB = make([]float64, len(p.a)), make([]float64, len(p.b))
	for n := range rows {
		low := make([]float64, p.rank)
		for r := range low {
			for i := range p.In {
				low[r] += float64(p.a[r*p.In+i]) * float64(x[n*p.In+i])
			}
		}
		for o := range p.Out {
			v, up := float64(y[n*p.Out+o]), float64(g[n*p.Out+o])*s
			for r := range low {
				v += s * float64(p.b[o*p.rank+r]) * low[r]
				gradB[o*p.rank+r] += up * low[r]
				for i := range p.In {
					gradA[r*p.In+i] += up * float64(p.b[o*p.rank+r]) * float64(x[n*p.In+i])
				}
			}
			out = append(out, v)
		}
	}
	return out, gradA, gradB
}

func TestLinear(t *testing.T) {
	a := filled(t, Config{Rank: 3, Alpha: 2}, Layer{Name: "a.to_q", In: 5, Out: 4})
	rng := rand.New(rand.NewPCG(2, 0))
	in := []*tensors.Tensor{random(rng, 2, 3, 5), random(rng, 2, 3, 4), random(rng, 2, 3, 4)}
	const weight = 2.5
	want, gradA, gradB := linear(flat(t, in[0]), flat(t, in[1]), flat(t, in[2]), a.parts[0], weight*2/3)
	eachBackend(t, func(t *testing.T, b compute.Backend) {
		out := run(t, b, a, weight, in, func(d *Delta, in, params []*Node) []*Node {
			y := d.Linear("a.to_q", in[0], in[1])
			return append([]*Node{y}, Gradient(ReduceAllSum(Mul(y, in[2])), params...)...)
		})
		near(t, want, flat(t, out[0]), 1e-6)
		near(t, gradA, flat(t, out[1]), 1e-6)
		near(t, gradB, flat(t, out[2]), 1e-6)
	})
}

func TestBaseModel(t *testing.T) {
	a := filled(t, Config{Rank: 2}, Layer{Name: "q", In: 5, Out: 4})
	rng := rand.New(rand.NewPCG(3, 0))
	in := []*tensors.Tensor{random(rng, 3, 5), random(rng, 3, 4)}
	want := flat(t, in[1])
	eachBackend(t, func(t *testing.T, b compute.Backend) {
		out := run(t, b, a, 0, in, func(d *Delta, in, _ []*Node) []*Node {
			var none *Delta
			require.Same(t, in[1], none.Linear("q", in[0], in[1]), "nil is the base model")
			require.Same(t, in[1], none.Conv("q", in[0], in[1], Convolution{}))
			require.Same(t, in[1], d.Linear("other", in[0], in[1]), "a layer without adapter")
			return []*Node{d.Linear("q", in[0], in[1])}
		})
		require.Equal(t, want, flat(t, out[0]), "weight 0 is the base model, exactly")
	})
}

func TestLayerCalledTwice(t *testing.T) {
	a := filled(t, Config{Rank: 2}, Layer{Name: "q", In: 4, Out: 4})
	rng := rand.New(rand.NewPCG(4, 0))
	in := []*tensors.Tensor{random(rng, 3, 4)}
	forward := func(d *Delta, x *Node, checkpoint bool) *Node {
		for range 2 { // both guided branches, two blocks deep
			if checkpoint {
				x = x.Checkpoint()
			}
			x = Tanh(d.Linear("q", x, x))
			if checkpoint {
				x = x.StopCheckpoint()
			}
		}
		return x
	}
	eachBackend(t, func(t *testing.T, b compute.Backend) {
		var results [2][]*tensors.Tensor
		for i, checkpoint := range []bool{false, true} {
			results[i] = run(t, b, a, 1, in, func(d *Delta, in, params []*Node) []*Node {
				loss := Add(ReduceAllSum(forward(d, in[0], checkpoint)), ReduceAllSum(forward(d, Neg(in[0]), checkpoint)))
				return append([]*Node{forward(d, in[0], checkpoint)}, Gradient(Square(AddScalar(loss, 1)), params...)...)
			})
		}
		for i := range results[0] {
			require.InDeltaSlice(t, flat(t, results[0][i]), flat(t, results[1][i]), 1e-5, "checkpointing changes nothing")
		}
	})
}

func TestBFloat16(t *testing.T) {
	a := filled(t, Config{Rank: 2, Alpha: 2}, Layer{Name: "q", In: 8, Out: 4})
	rng := rand.New(rand.NewPCG(5, 0))
	in := []*tensors.Tensor{random(rng, 3, 8), random(rng, 3, 4)}
	eachBackend(t, func(t *testing.T, b compute.Backend) {
		out := run(t, b, a, 1, in, func(d *Delta, in, _ []*Node) []*Node {
			x, y := ConvertDType(in[0], dtypes.BFloat16), ConvertDType(in[1], dtypes.BFloat16)
			z := d.Linear("q", x, y)
			require.Equal(t, dtypes.BFloat16, z.DType())
			exact := d.Linear("q", ConvertDType(x, dtypes.Float32), ZerosLike(in[1]))
			return []*Node{ConvertDType(z, dtypes.Float32), ConvertDType(Add(y, ConvertDType(exact, dtypes.BFloat16)), dtypes.Float32)}
		})
		require.Equal(t, flat(t, out[1]), flat(t, out[0]), "the product is float32 up to the addition")
	})
}

// TestConv compares with the definition: a convolution by the dense kernel B·A.
func TestConv(t *testing.T) {
	layers := []Layer{{Name: "c", In: 3, Out: 4, Kernel: [2]int{3, 3}}, {Name: "p", In: 3, Out: 4, Kernel: [2]int{1, 1}}}
	a := filled(t, Config{Rank: 2, Alpha: 4}, layers...)
	rng := rand.New(rand.NewPCG(6, 0))
	first := []*tensors.Tensor{random(rng, 2, 3, 6, 5), random(rng, 2, 4, 3, 3), random(rng, 2, 4, 6, 5)}
	const weight = 0.5
	apply := func(first bool, stride, padding int) func(x, kernel *Node) *Node {
		return func(x, kernel *Node) *Node {
			axis := images.ChannelsFirst
			if !first {
				axis, kernel = images.ChannelsLast, TransposeAllAxes(kernel, 2, 3, 1, 0)
			}
			return Convolve(x, kernel).ChannelsAxis(axis).Strides(stride).PaddingPerDim([][2]int{{padding, padding}, {padding, padding}}).Done()
		}
	}
	last := func(x *Node) *Node { return TransposeAllAxes(x, 0, 2, 3, 1) }
	eachBackend(t, func(t *testing.T, b compute.Backend) {
		out := run(t, b, a, weight, first, func(d *Delta, in, params []*Node) []*Node {
			dense := func(i int) *Node {
				k := DotGeneral(Reshape(params[i+1], 4, 2), []int{1}, nil, params[i], []int{0}, nil)
				return MulScalar(k, weight*4/2)
			}
			want3 := Add(in[1], apply(true, 2, 1)(in[0], dense(0)))
			want1 := Add(in[2], apply(true, 1, 0)(in[0], dense(2)))
			c3 := func(first bool) Convolution {
				return Convolution{Kernel: [2]int{3, 3}, ChannelsFirst: first, Apply: apply(first, 2, 1)}
			}
			c1 := Convolution{Kernel: [2]int{1, 1}, ChannelsFirst: true, Apply: apply(true, 1, 0)}
			got3, got1 := d.Conv("c", in[0], in[1], c3(true)), d.Conv("p", in[0], in[2], c1)
			gotLast := d.Conv("c", last(in[0]), last(in[1]), c3(false))
			outputs := []*Node{want3, got3, want1, got1, last(want3), gotLast}
			outputs = append(outputs, Gradient(ReduceAllSum(Square(want3)), params[:2]...)...)
			return append(outputs, Gradient(ReduceAllSum(Square(got3)), params[:2]...)...)
		})
		require.InDeltaSlice(t, flat(t, out[0]), flat(t, out[1]), 1e-4)
		require.InDeltaSlice(t, flat(t, out[2]), flat(t, out[3]), 1e-4)
		require.InDeltaSlice(t, flat(t, out[4]), flat(t, out[5]), 1e-4)
		require.InDeltaSlice(t, flat(t, out[6]), flat(t, out[8]), 1e-3)
		require.InDeltaSlice(t, flat(t, out[7]), flat(t, out[9]), 1e-3)
	})
}
