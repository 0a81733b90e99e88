package sanasprint

import (
	"math/rand/v2"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/autoencoder"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/pipeline/pipelinetest"
	"github.com/dualprocess/dualprocess-go/internal/sanabase"
)

// Sizes of the benchmark: those of Sana's, without a second prediction.
// bench_update.py measures the same in PyTorch.
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
		Guidance: true, GuidanceScale: 0.1, QKNorm: new("rms_norm_across_heads"),
	}
	g.config.Autoencoder = autoencoder.DCConfig{
		InChannels: 3, LatentChannels: 32, HeadWidth: 32, EncoderChannels: channels, DecoderChannels: channels,
		DecoderBlocks: []string{res, res, res, vit, vit, vit}, DecoderLayers: []int{2, 2, 2, 2, 2, 2}, DecoderScales: scales,
		Upsample: "interpolate", InShortcut: true, Scaling: 0.41407,
	}
	g.config.Scheduler = schedulerConfig{TrainTimesteps: 1000, SigmaData: 0.5}
	var err error
	g.options, err = Options{TextTokens: benchText}.resolved(g.config)
	require.NoError(b, err)
	g.schedule = newTrigFlow(g.options.Steps, g.config.Scheduler.TrainTimesteps)
	c := pipelinetest.Random(rt)
	g.transformer = sanabase.NewTransformer(c.In("transformer"), g.config.Transformer)
	g.decoder = autoencoder.NewDCDecoder(c.In("vae"), g.config.Autoencoder)
	require.NoError(b, c.Err())
	return g
}

// BenchmarkUpdate is one update of an adapter.
func BenchmarkUpdate(b *testing.B) {
	rt := golden.Fastest(b)
	g := benchGenerator(b, rt)
	mask := make([]float32, benchText)
	for i := range 20 {
		mask[i] = 1
	}
	cond := dualprocess.Inputs{
		pipelinetest.Noise(rand.New(rand.NewPCG(3, 4)), 1, 1, benchText, g.config.Transformer.TextWidth),
		tensors.FromFlatDataAndDimensions(mask, 1, benchText),
	}
	pipelinetest.Bench{Cond: cond, Side: benchSide, Rank: benchRank, Step: 0, Rate: 5e-6}.Run(b, rt, g)
}
