package flux

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/autoencoder"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/optim"
	"github.com/dualprocess/dualprocess-go/internal/weights"
	"github.com/dualprocess/dualprocess-go/lora"
)

// Sizes of the benchmark: about a second per update on two cores. bench_update.py
// measures the same in PyTorch.
const (
	benchSide = 256 // pixels
	benchText = 64  // tokens
	benchRank = 16
)

// noisy is a weights.Source of random frozen variables of sensible size.
type noisy struct {
	store *model.Store
	root  string
	rng   *rand.Rand
}

func (s noisy) Variable(name string, dims ...int) (*model.Variable, error) {
	size, fanIn := 1, 1
	for k, d := range dims {
		size *= d
		if k > 0 {
			fanIn *= d
		}
	}
	values := make([]float32, size)
	for i := range values {
		values[i] = float32(s.rng.NormFloat64() / math.Sqrt(float64(fanIn)))
	}
	v, err := s.store.CreateVariable(s.root+"/"+model.EscapeScopeName(name), tensors.FromFlatDataAndDimensions(values, dims...))
	if err != nil {
		return nil, err
	}
	return v.SetTrainable(false), nil
}

// benchGenerator is a generator with random weights and no text encoders.
func benchGenerator(b *testing.B, rt *backends.Runtime) *Generator {
	g := &Generator{runtime: rt, options: Options{Height: benchSide, Width: benchSide, Steps: 1, TextTokens: benchText}}
	g.config.Transformer = TransformerConfig{
		InChannels: 64, Layers: 4, SingleLayers: 8, Heads: 8, HeadWidth: 64, TextWidth: 256, PooledWidth: 128, Axes: []int{8, 28, 28},
	}
	g.config.Autoencoder = autoencoder.KLConfig{
		InChannels: 3, OutChannels: 3, LatentChannels: 16, Channels: []int{32, 64, 64, 64}, LayersPerBlock: 1, Groups: 8,
		MidAttention: true, Scaling: 0.3611,
	}
	g.config.Scheduler = SchedulerConfig{TrainTimesteps: 1000, Shift: 1}
	g.rows, g.cols = benchSide/g.pixels(), benchSide/g.pixels()
	g.schedule = newSchedule(g.config.Scheduler, 1, g.rows*g.cols)
	c := weights.NewCursor(noisy{rt.Store, "/bench", rand.New(rand.NewPCG(1, 2))})
	g.transformer = NewTransformer(c.In("transformer"), g.config.Transformer)
	g.decoder = autoencoder.NewDecoder(c.In("vae"), g.config.Autoencoder)
	require.NoError(b, c.Err())
	return g
}

// BenchmarkUpdate is one update of an adapter: transformer, decoder, a loss on the
// picture, gradients, clipping, AdamW, in one compiled program.
func BenchmarkUpdate(b *testing.B) {
	rt := golden.Runtime(b)
	g := benchGenerator(b, rt)
	latents, err := g.Latents(1)
	require.NoError(b, err)
	rng := rand.New(rand.NewPCG(3, 4))
	text, pooled := noise(rng, 1, benchText, g.config.Transformer.TextWidth), noise(rng, 1, g.config.Transformer.PooledWidth)
	recorder := lora.Record()
	record := NewGraph(rt.Backend, "record")
	model.SetStore(record, rt.Store)
	node := func(name string, x *tensors.Tensor) *Node { return Parameter(record, name, x.Shape()) }
	g.Predict(recorder.Delta(), node("latents", latents), Parameter(record, "i", shapes.Make(dtypes.Int32)),
		[]*Node{node("text", text), node("pooled", pooled)})
	record.Finalize()
	adapter, err := lora.New(lora.Config{Rank: benchRank, Targets: g.Preset().Targets}, recorder.Layers())
	require.NoError(b, err)

	update, err := model.NewExec(rt.Backend, rt.Store, func(_ *model.Scope, in []*Node) []*Node { return benchUpdate(g, adapter, in) })
	require.NoError(b, err)
	in := []any{latents, noise(rng, 1, benchSide, benchSide, 3), text, pooled}
	start := adapter.Params()
	for range 3 { // parameters and both moments; the update's outputs are thrown away
		for _, p := range start {
			in = append(in, p)
		}
	}
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

// benchUpdate is the graph: latents, target, conditions, parameters, moments.
func benchUpdate(g *Generator, a *lora.Adapter, in []*Node) []*Node {
	latents, target, cond, n := in[0], in[1], in[2:4], (len(in)-4)/3
	params, m, v := in[4:4+n], in[4+n:4+2*n], in[4+2*n:]
	i, one := Const(latents.Graph(), int32(0)), Const(latents.Graph(), float32(1))
	delta := a.Delta(params, MulScalar(one, trainWeight))
	picture := g.Decode(g.Clean(latents, g.Predict(delta, latents, i, cond), i))
	loss := ReduceAllMean(Square(Sub(picture, target)))
	grads, _ := optim.ClipGlobalNorm(Gradient(loss, params...), clip)
	newParams, newM, newV := optim.AdamW{}.Update(params, grads, m, v, one, MulScalar(one, 5e-5))
	return slices.Concat([]*Node{loss}, newParams, newM, newV)
}

func noise(rng *rand.Rand, dims ...int) *tensors.Tensor {
	x := tensors.FromShape(shapes.Make(dtypes.Float32, dims...))
	tensors.MustMutableFlatData(x, func(values []float32) {
		for i := range values {
			values[i] = float32(rng.NormFloat64())
		}
	})
	return x
}
