package zimage

import (
	"math/rand/v2"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
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
	g := &Generator{runtime: rt, model: pipelinetest.Model(b, rt), encoder: &pipeline.Encoder[string]{}}
	g.config.Transformer = transformerConfig{
		InChannels: 16, Width: 512, Layers: 10, Refiners: 2, Heads: 8, Epsilon: 1e-5, QKNorm: true, TextWidth: 256,
		Theta: 256, TimeScale: 1000, Axes: []int{16, 24, 24}, Longest: []int{1536, 512, 512},
	}
	g.config.Autoencoder = autoencoder.KLConfig{
		InChannels: 3, OutChannels: 3, LatentChannels: 16, Channels: []int{32, 64, 64, 64}, LayersPerBlock: 1, Groups: 8,
		MidAttention: true, Scaling: 0.3611,
	}
	g.config.Scheduler = pipeline.FlowMatchEuler{TrainTimesteps: 1000, Shift: 3, BaseTokens: 256, MaxTokens: 4096}
	var err error
	g.options, err = Options{Height: benchSide, Width: benchSide, TextTokens: benchText}.resolved(g.config)
	require.NoError(b, err)
	g.flow = newFlow(g.config.Scheduler, g.options.Steps, benchSide*benchSide/256, g.config.Transformer.TimeScale)
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
	mask := make([]float32, benchText)
	for i := range mask {
		mask[i] = 1
	}
	cond := dualprocess.Inputs{
		pipelinetest.Noise(rand.New(rand.NewPCG(3, 4)), 1, 1, benchText, g.config.Transformer.TextWidth),
		tensors.FromFlatDataAndDimensions(mask, 1, benchText),
	}
	pipelinetest.Bench{Cond: cond, Side: benchSide, Rank: benchRank, Step: 0, Rate: 1e-4}.Run(b, rt, g)
}
