package flux

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

// benchGenerator is a generator with random weights and no text encoders.
func benchGenerator(b *testing.B, rt *backends.Runtime) *Generator {
	g := &Generator{runtime: rt, model: pipelinetest.Model(b, rt), options: Options{Height: benchSide, Width: benchSide, Steps: 1, TextTokens: benchText}}
	g.config.Transformer = transformerConfig{
		InChannels: 64, Layers: 4, SingleLayers: 8, Heads: 8, HeadWidth: 64, TextWidth: 256, PooledWidth: 128, Axes: []int{8, 28, 28},
	}
	g.config.Autoencoder = autoencoder.KLConfig{
		InChannels: 3, OutChannels: 3, LatentChannels: 16, Channels: []int{32, 64, 64, 64}, LayersPerBlock: 1, Groups: 8,
		MidAttention: true, Scaling: 0.3611,
	}
	g.config.Scheduler = pipeline.FlowMatchEuler{TrainTimesteps: 1000, Shift: 1}
	g.rows, g.cols = benchSide/g.pixels(), benchSide/g.pixels()
	g.flow = g.config.Scheduler.Flow(1, 0)
	c := pipelinetest.Random(rt)
	g.transformer = newTransformer(c.In("transformer"), g.config.Transformer)
	g.decoder = autoencoder.NewDecoder(c.In("vae"), g.config.Autoencoder)
	require.NoError(b, c.Err())
	return g
}

// BenchmarkUpdate is one update of an adapter.
func BenchmarkUpdate(b *testing.B) {
	rt := golden.Fastest(b)
	g := benchGenerator(b, rt)
	rng, c := rand.New(rand.NewPCG(3, 4)), g.config.Transformer
	cond := dualprocess.Inputs{pipelinetest.Noise(rng, 1, 1, benchText, c.TextWidth), pipelinetest.Noise(rng, 1, 1, c.PooledWidth)}
	pipelinetest.Bench{Cond: cond, Side: benchSide, Rank: benchRank, Step: 0, Rate: 5e-5}.Run(b, rt, g)
}
