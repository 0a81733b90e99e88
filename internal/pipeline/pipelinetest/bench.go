package pipelinetest

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/optim"
	"github.com/dualprocess/dualprocess-go/internal/weights"
	"github.com/dualprocess/dualprocess-go/lora"
)

// Random is a checkpoint of random frozen weights of sensible size.
func Random(rt *backends.Runtime) weights.Cursor {
	return weights.NewCursor(noisy{rt.Store, "/bench", rand.New(rand.NewPCG(1, 2))})
}

// Model is the place of a generator that was not opened.
func Model(b *testing.B, rt *backends.Runtime) *backends.Model {
	m, err := rt.NewModel("bench", "/generator")
	require.NoError(b, err)
	return m
}

// noisy is the weights.Source of Random.
type noisy struct {
	store *model.Store
	root  string
	rng   *rand.Rand
}

func (s noisy) Variable(name string, dims ...int) (*model.Variable, error) {
	fanIn := 1
	for _, d := range dims[1:] {
		fanIn *= d
	}
	x := Noise(s.rng, 1/math.Sqrt(float64(fanIn)), dims...)
	if strings.HasSuffix(name, "running_var") { // of a batch norm
		tensors.MustMutableFlatData(x, func(values []float32) {
			for i, v := range values {
				values[i] = v * v
			}
		})
	}
	v, err := s.store.CreateVariable(s.root+"/"+model.EscapeScopeName(name), x)
	if err != nil {
		return nil, err
	}
	return v.SetTrainable(false), nil
}

// Noise is Gaussian noise of a standard deviation.
func Noise(rng *rand.Rand, deviation float64, dims ...int) *tensors.Tensor {
	x := tensors.FromShape(shapes.Make(dtypes.Float32, dims...))
	tensors.MustMutableFlatData(x, func(values []float32) {
		for i := range values {
			values[i] = float32(deviation * rng.NormFloat64())
		}
	})
	return x
}

// Bench is what BenchmarkUpdate measures: an update of an adapter by the distance of
// a picture from noise.
type Bench struct {
	Cond dualprocess.Inputs
	Side int // of the picture, in pixels
	Rank int // of the adapter
	Step int // of the sampler
	Rate float64
}

// Run measures one update: network, decoder, a loss on the picture, gradients,
// clipping, AdamW, in one compiled program.
func (o Bench) Run(b *testing.B, rt *backends.Runtime, g Generator) {
	latents, err := g.Latents(1)
	require.NoError(b, err)
	target := Noise(rand.New(rand.NewPCG(5, 6)), 1, 1, o.Side, o.Side, 3)
	adapter, err := lora.New(lora.Config{Rank: o.Rank, Targets: g.Preset().Targets}, Layers(b, rt, g, o.Cond))
	require.NoError(b, err)
	update, err := graphs.NewExecutor(rt, func(in []*Node) []*Node { return o.update(g, adapter, in) })
	require.NoError(b, err)
	start := adapter.Params()
	in := Flatten(latents, target, o.Cond, start, start, start) // the update's outputs are thrown away
	run := func() {
		out, err := update.Call(in...)
		require.NoError(b, err)
		require.False(b, math.IsNaN(float64(tensors.ToScalar[float32](out[0]))))
		for _, x := range out {
			require.NoError(b, x.FinalizeAll())
		}
	}
	run()
	b.ResetTimer()
	for range b.N {
		run()
	}
}

// update is the graph: latents, target, conditions, parameters, moments.
func (o Bench) update(g Generator, a *lora.Adapter, in []*Node) []*Node {
	latents, target, in := in[0], in[1], in[2:]
	cond, state := in[:len(o.Cond)], in[len(o.Cond):]
	n := len(state) / 3
	params, m, v := state[:n], state[n:2*n], state[2*n:]
	i, one := Const(latents.Graph(), int32(o.Step)), Const(latents.Graph(), float32(1))
	delta := a.Delta(params, MulScalar(one, TrainWeight))
	picture := g.Decode(g.Clean(latents, g.Predict(delta, latents, i, cond), i))
	loss := ReduceAllMean(Square(Sub(picture, target)))
	grads, _ := optim.ClipGlobalNorm(Gradient(loss, params...), clip)
	newParams, newM, newV := optim.AdamW{}.Update(params, grads, m, v, one, MulScalar(one, o.Rate))
	return slices.Concat([]*Node{loss}, newParams, newM, newV)
}
