package sana

import (
	"math/rand/v2"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/autoencoder"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/pipeline/pipelinetest"
	"github.com/dualprocess/dualprocess-go/internal/sanabase"
)

// Sizes of the benchmark: about a second per update on two cores. bench_update.py
// measures the same in PyTorch.
const (
	benchSide = 256 // pixels
	benchText = 300 // tokens
	benchRank = 16
)

// benchGenerator is a generator with random weights and no text encoder.
func benchGenerator(b *testing.B, rt *backends.Runtime) *Generator {
	const vit, res = "EfficientViTBlock", "ResBlock"
	channels, scales := []int{16, 32, 64, 64, 128, 128}, [][]int{{}, {}, {}, {5}, {5}, {5}}
	g := &Generator{runtime: rt, model: pipelinetest.Model(b, rt)}
	g.config.Transformer = sanabase.TransformerConfig{
		InChannels: 32, Layers: 8, Heads: 16, HeadWidth: 32, CrossHeads: new(8), CrossHeadWidth: new(64), CrossWidth: new(512),
		TextWidth: 256, Ratio: 2.5, Epsilon: 1e-6, TimeScale: 1, SampleSize: benchSide / 32,
	}
	g.config.Autoencoder = autoencoder.DCConfig{
		InChannels: 3, LatentChannels: 32, HeadWidth: 32, EncoderChannels: channels, DecoderChannels: channels,
		DecoderBlocks: []string{res, res, res, vit, vit, vit}, DecoderLayers: []int{2, 2, 2, 2, 2, 2}, DecoderScales: scales,
		Upsample: "interpolate", InShortcut: true, Scaling: 0.41407,
	}
	g.config.Scheduler = schedulerConfig{Class: dpmClass, TrainTimesteps: 1000, Shift: 3}
	var err error
	g.options, err = Options{TextTokens: benchText}.resolved(g.config)
	require.NoError(b, err)
	g.schedule = newSchedule(g.config.Scheduler, g.options.Solver, g.options.Steps)
	c := pipelinetest.Random(rt)
	g.transformer = sanabase.NewTransformer(c.In("transformer"), g.config.Transformer)
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
		cond = append(cond, pipelinetest.Noise(rng, 1, 1, benchText, width), tensors.FromFlatDataAndDimensions(mask, 1, benchText))
	}
	return cond
}

// BenchmarkUpdate is one update of an adapter under guidance.
func BenchmarkUpdate(b *testing.B) {
	rt := golden.Fastest(b)
	g := benchGenerator(b, rt)
	cond := benchCond(rand.New(rand.NewPCG(3, 4)), g.config.Transformer.TextWidth)
	pipelinetest.Bench{Cond: cond, Side: benchSide, Rank: benchRank, Step: 0, Rate: 5e-6}.Run(b, rt, g)
}
