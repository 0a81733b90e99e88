package sd

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
	"github.com/dualprocess/dualprocess-go/internal/pipeline"
	"github.com/dualprocess/dualprocess-go/internal/text"
	"github.com/dualprocess/dualprocess-go/internal/weights"
	"github.com/dualprocess/dualprocess-go/lora"
)

// Sizes of the benchmark: about a second per update on two cores. bench_update.py
// measures the same in PyTorch.
const (
	benchSide = 256 // pixels
	benchText = 77  // tokens
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
	x := noise(s.rng, 1/math.Sqrt(float64(fanIn)), dims...)
	v, err := s.store.CreateVariable(s.root+"/"+model.EscapeScopeName(name), x)
	if err != nil {
		return nil, err
	}
	return v.SetTrainable(false), nil
}

func noise(rng *rand.Rand, deviation float64, dims ...int) *tensors.Tensor {
	x := tensors.FromShape(shapes.Make(dtypes.Float32, dims...))
	tensors.MustMutableFlatData(x, func(values []float32) {
		for i := range values {
			values[i] = float32(deviation * rng.NormFloat64())
		}
	})
	return x
}

// benchGenerator is a generator with random weights and no text encoder.
func benchGenerator(b *testing.B, rt *backends.Runtime) *Generator {
	g := &Generator{runtime: rt, options: Options{
		Height: benchSide, Width: benchSide, Steps: 50, Guidance: new(7.5), Checkpoint: backends.CheckpointOff,
	}}
	g.config.CLIP = text.CLIPConfig{Width: 256, Positions: benchText}
	g.config.UNet = defaultUNet()
	g.config.UNet.Channels, g.config.UNet.LayersPerBlock, g.config.UNet.TextWidth = []int{64, 128, 256, 256}, 1, 256
	g.config.Autoencoder = autoencoder.KLConfig{
		InChannels: 3, OutChannels: 3, LatentChannels: 4, Channels: []int{32, 64, 64, 64}, LayersPerBlock: 1, Groups: 8,
		MidAttention: true, PostQuantConv: true, Scaling: 0.18215,
	}
	g.config.Scheduler = defaultScheduler()
	g.schedule = newSchedule(g.config.Scheduler, g.options.Steps)
	c := weights.NewCursor(noisy{rt.Store, "/bench", rand.New(rand.NewPCG(1, 2))})
	g.unet = NewUNet(c.In("unet"), g.config.UNet)
	g.decoder = autoencoder.NewDecoder(c.In("vae"), g.config.Autoencoder)
	require.NoError(b, c.Err())
	return g
}

// BenchmarkUpdate is one update of an adapter under guidance: U-Net, decoder, a
// loss on the picture, gradients, clipping, AdamW, in one compiled program.
func BenchmarkUpdate(b *testing.B) {
	rt := golden.Runtime(b)
	g := benchGenerator(b, rt)
	rng := rand.New(rand.NewPCG(3, 4))
	states := func() *tensors.Tensor { return noise(rng, 1, 1, benchText, g.config.CLIP.Width) }
	in := []any{pipeline.Noise([]int64{1}, 4, benchSide/8, benchSide/8), noise(rng, 1, 1, benchSide, benchSide, 3), states(), states()}

	recorder := lora.Record()
	record := NewGraph(rt.Backend, "record")
	model.SetStore(record, rt.Store)
	node := func(name string, x any) *Node { return Parameter(record, name, x.(*tensors.Tensor).Shape()) }
	g.Predict(recorder.Delta(), node("latents", in[0]), Parameter(record, "i", shapes.Make(dtypes.Int32)),
		[]*Node{node("text", in[2]), node("negative", in[3])})
	record.Finalize()
	adapter, err := lora.New(lora.Config{Rank: benchRank, Targets: g.Preset().Targets}, recorder.Layers())
	require.NoError(b, err)
	for range 3 { // parameters and both moments; the update's outputs are thrown away
		in = inputs(in, adapter.Params())
	}

	update, err := model.NewExec(rt.Backend, rt.Store, func(_ *model.Scope, in []*Node) []*Node { return benchUpdate(g, adapter, in) })
	require.NoError(b, err)
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
	i, one := Const(latents.Graph(), int32(25)), Const(latents.Graph(), float32(1))
	delta := a.Delta(params, MulScalar(one, trainWeight))
	picture := g.Decode(g.Clean(latents, g.Predict(delta, latents, i, cond), i))
	loss := ReduceAllMean(Square(Sub(picture, target)))
	grads, _ := optim.ClipGlobalNorm(Gradient(loss, params...), clip)
	newParams, newM, newV := optim.AdamW{}.Update(params, grads, m, v, one, MulScalar(one, 5e-5))
	return slices.Concat([]*Node{loss}, newParams, newM, newV)
}
