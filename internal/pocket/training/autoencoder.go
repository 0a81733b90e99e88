package training

import (
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/pocket/diffusion"
	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// pictureSize of the pocket world, in pixels.
const pictureSize = 64

// autoencoder is the encoder and decoder in training.
type autoencoder struct {
	config  diffusion.DecoderConfig
	encoder *encoder
	decoder *diffusion.Decoder
	source  *initial
}

func newAutoencoder(rt *backends.Runtime, cfg diffusion.DecoderConfig, seed uint64) (*autoencoder, error) {
	source := &initial{store: rt.Store, root: "/autoencoder", seed: seed}
	c := weights.NewCursor(source)
	a := &autoencoder{
		config:  cfg,
		encoder: newEncoder(c.In("encoder"), cfg.LatentChannels),
		decoder: diffusion.NewDecoder(c.In("decoder"), cfg),
		source:  source,
	}
	return a, c.Err()
}

// loss of a batch: pictures [B, H, W, 3] and noise of the latents' shape. The
// latents are normalised by the statistics of the batch, which are those of the
// world to about a percent, and blurred by the noise, so that the decoder
// forgives a generator's errors.
func (a *autoencoder) loss(batch []*Node) (*Node, []*Node) {
	pictures, noise := batch[0], batch[1]
	raw := a.encoder.Apply(nn.Pass{}, pictures)
	mean := ReduceAndKeep(raw, ReduceMean, 0, 1, 2)
	centred := Sub(raw, mean)
	deviation := Sqrt(AddScalar(ReduceAndKeep(Square(centred), ReduceMean, 0, 1, 2), 1e-6))
	latents := Div(centred, deviation)
	outliers := ReduceAllMean(MaxScalar(AddScalar(Abs(latents), -3), 0))

	picture, shown := pictureLoss(a.decoder.Apply(nn.Pass{}, Add(latents, noise)), pictures)
	return Add(picture, MulScalar(outliers, 1e-2)), shown
}

// pictureLoss compares pictures by absolute error, by absolute error of the
// differences between neighbours, and by squared error; the first two are shown.
// Pixels at edges weigh up to three times as much: small things are made of them.
func pictureLoss(x, want *Node) (loss *Node, shown []*Node) {
	dy, dx := differences(want)
	gy, gx := differences(x)
	weight := AddScalar(MulScalar(MinScalar(MulScalar(edgeStrength(dy, dx), 4), 1), 2), 1)
	err := Sub(x, want)
	l1 := ReduceAllMean(Mul(Abs(err), weight))
	edges := Add(ReduceAllMean(Abs(Sub(gy, dy))), ReduceAllMean(Abs(Sub(gx, dx))))
	l2 := ReduceAllMean(Mul(Square(err), weight))
	return Add(Add(l1, edges), l2), []*Node{l1, edges}
}

// differences to the neighbour below and at the right, zero in the last row and column.
func differences(x *Node) (dy, dx *Node) {
	d := x.Shape().Dimensions
	dy = Sub(Slice(x, AxisRange(), AxisRange(1, d[1])), Slice(x, AxisRange(), AxisRange(0, d[1]-1)))
	dx = Sub(Slice(x, AxisRange(), AxisRange(), AxisRange(1, d[2])), Slice(x, AxisRange(), AxisRange(), AxisRange(0, d[2]-1)))
	return dy, dx
}

// edgeStrength is the larger of the two differences, over the channels: [B, H, W, 1].
func edgeStrength(dy, dx *Node) *Node {
	y := ReduceAndKeep(Abs(dy), ReduceMax, 3)
	x := ReduceAndKeep(Abs(dx), ReduceMax, 3)
	return Max(nn.PadZeros(y, 0, 1, 1), nn.PadZeros(x, 0, 1, 2))
}

// drawBatch draws one batch: half of it scenes of the broad world, half of the
// narrow, and noise of a strength in [0, p.noise] per picture.
func (a *autoencoder) drawBatch(p plan, step int) []*tensors.Tensor {
	rng := rand.New(rand.NewPCG(p.seed, uint64(step)))
	pixels := make([]float32, 0, p.batch*pictureSize*pictureSize*3)
	latent := a.config.LatentSize * a.config.LatentSize * a.config.LatentChannels
	noise := make([]float32, 0, p.batch*latent)
	for i := range p.batch {
		spread := world.Broad
		if i%2 == 1 {
			spread = world.Narrow
		}
		pixels = append(pixels, world.RandomScene(rng, spread).Draw(pictureSize).Pix...)
		strength := p.noise * rng.Float64()
		for range latent {
			noise = append(noise, float32(strength*rng.NormFloat64()))
		}
	}
	return []*tensors.Tensor{
		floats(pixels, p.batch, pictureSize, pictureSize, 3),
		floats(noise, p.batch, a.config.LatentSize, a.config.LatentSize, a.config.LatentChannels),
	}
}
