package flux2

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/autoencoder"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/pipeline"
	"github.com/dualprocess/dualprocess-go/internal/pipeline/pipelinetest"
)

// Sizes of the benchmark: about a second per update on two cores. bench_update.py
// measures the same in PyTorch.
const (
	benchSide = 256 // pixels
	benchText = 64  // tokens
	benchRank = 16
)

// benchGenerator is a generator with random weights and no text encoder.
func benchGenerator(b *testing.B, rt *backends.Runtime) *Generator {
	g := &Generator{runtime: rt, model: pipelinetest.Model(b, rt), options: Options{Height: benchSide, Width: benchSide, Steps: 1, TextTokens: benchText}}
	g.config.Transformer = transformerConfig{
		InChannels: 64, Layers: 4, SingleLayers: 8, Heads: 8, HeadWidth: 64, TextWidth: 384,
		Waves: 256, Ratio: 3, Axes: []int{16, 16, 16, 16}, Theta: 2000, Epsilon: 1e-6,
	}
	g.config.Autoencoder = autoencoder.Flux2Config{Epsilon: 1e-4, KLConfig: autoencoder.KLConfig{
		InChannels: 3, OutChannels: 3, LatentChannels: 16, Channels: []int{32, 64, 64, 64}, LayersPerBlock: 1, Groups: 8,
		MidAttention: true, PostQuantConv: true, Scaling: 1,
	}}
	g.config.Scheduler = pipeline.FlowMatchEuler{TrainTimesteps: 1000, Shift: 1}
	g.rows, g.cols = benchSide/g.pixels(), benchSide/g.pixels()
	g.flow = g.config.Scheduler.Flow(1, 0)
	c := pipelinetest.Random(rt)
	g.transformer = newTransformer(c.In("transformer"), g.config.Transformer)
	g.decoder = autoencoder.NewFlux2Decoder(c.In("vae"), g.config.Autoencoder)
	require.NoError(b, c.Err())
	return g
}

// BenchmarkUpdate is one update of an adapter.
func BenchmarkUpdate(b *testing.B) {
	rt := golden.Fastest(b)
	rng := rand.New(rand.NewPCG(3, 4))
	g := benchGenerator(b, rt)
	cond := dualprocess.Inputs{pipelinetest.Noise(rng, 1, 1, benchText, g.config.Transformer.TextWidth)}
	pipelinetest.Bench{Cond: cond, Side: benchSide, Rank: benchRank, Step: 0, Rate: 1e-4}.Run(b, rt, g)
}
