package sd

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
	"github.com/dualprocess/dualprocess-go/internal/text"
)

// Sizes of the benchmark: about a second per update on two cores. bench_update.py
// measures the same in PyTorch.
const (
	benchSide = 256 // pixels
	benchText = 77  // tokens
	benchRank = 16
)

// benchGenerator is a generator with random weights and no text encoder.
func benchGenerator(b *testing.B, rt *backends.Runtime) *Generator {
	g := &Generator{runtime: rt, model: pipelinetest.Model(b, rt), options: Options{
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
	c := pipelinetest.Random(rt)
	g.unet = newUNet(c.In("unet"), g.config.UNet)
	g.decoder = autoencoder.NewDecoder(c.In("vae"), g.config.Autoencoder)
	require.NoError(b, c.Err())
	return g
}

// BenchmarkUpdate is one update of an adapter under guidance.
func BenchmarkUpdate(b *testing.B) {
	rt := golden.Fastest(b)
	g := benchGenerator(b, rt)
	rng := rand.New(rand.NewPCG(3, 4))
	states := func() *tensors.Tensor { return pipelinetest.Noise(rng, 1, 1, benchText, g.config.CLIP.Width) }
	pipelinetest.Bench{
		Cond: dualprocess.Inputs{states(), states()}, Side: benchSide, Rank: benchRank, Step: 25, Rate: 5e-5,
	}.Run(b, rt, g)
}
