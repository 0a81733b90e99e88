package sana

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
	benchText = 300 // tokens
	benchRank = 16
)

// noisy is a weights.Source of random frozen variables of sensible size.
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
	values := make([]float32, dims[0]*fanIn)
	for i := range values {
		values[i] = float32(s.rng.NormFloat64() / math.Sqrt(float64(fanIn)))
	}
	v, err := s.store.CreateVariable(s.root+"/"+model.EscapeScopeName(name), tensors.FromFlatDataAndDimensions(values, dims...))
	if err != nil {
		return nil, err
	}
	return v.SetTrainable(false), nil
}

// benchGenerator is a generator with random weights and no text encoder.
func benchGenerator(b *testing.B, rt *backends.Runtime) *Generator {
	const vit, res = "EfficientViTBlock", "ResBlock"
	channels, scales := []int{16, 32, 64, 64, 128, 128}, [][]int{{}, {}, {}, {5}, {5}, {5}}
	g := &Generator{runtime: rt}
	g.config.Transformer = TransformerConfig{
		InChannels: 32, Layers: 8, Heads: 16, HeadWidth: 32, CrossHeads: new(8), CrossHeadWidth: new(64), CrossWidth: new(512),
		TextWidth: 256, Ratio: 2.5, Epsilon: 1e-6, TimeScale: 1, SampleSize: benchSide / 32,
	}
	g.config.Autoencoder = autoencoder.DCConfig{
		InChannels: 3, LatentChannels: 32, HeadWidth: 32, EncoderChannels: channels, DecoderChannels: channels,
		DecoderBlocks: []string{res, res, res, vit, vit, vit}, DecoderLayers: []int{2, 2, 2, 2, 2, 2}, DecoderScales: scales,
		Upsample: "interpolate", InShortcut: true, Scaling: 0.41407,
	}
	g.config.Scheduler = SchedulerConfig{Class: dpmClass, TrainTimesteps: 1000, Shift: 3}
	var err error
	g.options, err = Options{TextTokens: benchText}.resolved(g.config)
	require.NoError(b, err)
	g.schedule = newSchedule(g.config.Scheduler, g.options.Solver, g.options.Steps)
	c := weights.NewCursor(noisy{rt.Store, "/bench", rand.New(rand.NewPCG(1, 2))})
	g.transformer = NewTransformer(c.In("transformer"), g.config.Transformer)
	g.decoder = autoencoder.NewDCDecoder(c.In("vae"), g.config.Autoencoder)
	require.NoError(b, c.Err())
	return g
}

// benchCond are the conditions of a prompt of 20 words and of none.
func benchCond(rng *rand.Rand, width int) []*tensors.Tensor {
	var cond []*tensors.Tensor
	for _, words := range []int{20, 1} {
		mask := make([]float32, benchText)
		for i := range words {
			mask[i] = 1
		}
		cond = append(cond, noise(rng, 1, benchText, width), tensors.FromFlatDataAndDimensions(mask, 1, benchText))
	}
	return cond
}

// BenchmarkUpdate is one update of an adapter: transformer under guidance, decoder,
// a loss on the picture, gradients, clipping, AdamW, in one compiled program.
func BenchmarkUpdate(b *testing.B) {
	rt := golden.Runtime(b)
	g := benchGenerator(b, rt)
	latents, err := g.Latents(1)
	require.NoError(b, err)
	rng := rand.New(rand.NewPCG(3, 4))
	cond := benchCond(rng, g.config.Transformer.TextWidth)
	adapter, err := lora.New(lora.Config{Rank: benchRank, Targets: g.Preset().Targets}, benchLayers(rt, g, latents, cond))
	require.NoError(b, err)

	update, err := model.NewExec(rt.Backend, rt.Store, func(_ *model.Scope, in []*Node) []*Node { return benchUpdate(g, adapter, in) })
	require.NoError(b, err)
	start := adapter.Params()
	in := flatten(latents, noise(rng, 1, benchSide, benchSide, 3), cond, start, start, start) // the update's outputs are thrown away
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

// benchLayers lists what can be adapted.
func benchLayers(rt *backends.Runtime, g *Generator, latents *tensors.Tensor, cond []*tensors.Tensor) []lora.Layer {
	record := NewGraph(rt.Backend, "record")
	defer record.Finalize()
	model.SetStore(record, rt.Store)
	var nodes []*Node
	for k, x := range cond {
		nodes = append(nodes, Parameter(record, string(rune('a'+k)), x.Shape()))
	}
	recorder := lora.Record()
	g.Predict(recorder.Delta(), Parameter(record, "latents", latents.Shape()), Parameter(record, "i", shapes.Make(dtypes.Int32)), nodes)
	return recorder.Layers()
}

// benchUpdate is the graph: latents, target, conditions, parameters, moments.
func benchUpdate(g *Generator, a *lora.Adapter, in []*Node) []*Node {
	latents, target, cond, n := in[0], in[1], in[2:6], (len(in)-6)/3
	params, m, v := in[6:6+n], in[6+n:6+2*n], in[6+2*n:]
	i, one := Const(latents.Graph(), int32(0)), Const(latents.Graph(), float32(1))
	delta := a.Delta(params, MulScalar(one, trainWeight))
	picture := g.Decode(g.Clean(latents, g.Predict(delta, latents, i, cond), i))
	loss := ReduceAllMean(Square(Sub(picture, target)))
	grads, _ := optim.ClipGlobalNorm(Gradient(loss, params...), clip)
	newParams, newM, newV := optim.AdamW{}.Update(params, grads, m, v, one, MulScalar(one, 5e-6))
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
