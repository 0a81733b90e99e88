package training

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/pocket/diffusion"
	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
)

// codec is the trained autoencoder, frozen.
type codec struct {
	*autoencoder
	mean, deviation []float32 // of the latents' channels, before normalisation
	exec            *model.Exec
}

// decoderPrefix of the decoder's parameters among the autoencoder's.
const decoderPrefix = "decoder."

// openCodec loads the autoencoder's averaged weights, the decoder's from its own
// training if that has begun, and measures the latents.
func openCodec(ctx context.Context, rt *backends.Runtime, o Options) (*codec, error) {
	a, err := newAutoencoder(rt, diffusion.DefaultConfig(1).Decoder, 0)
	if err != nil {
		return nil, err
	}
	if err := a.source.loadAverage(o.path(autoencoderPlan.name)); err != nil {
		return nil, fmt.Errorf("training: the autoencoder comes first: %w", err)
	}
	if err := a.source.below(decoderPrefix).loadAverage(o.path(decoderPlan.name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	c := &codec{autoencoder: a}
	if err := c.measure(rt); err != nil {
		return nil, err
	}
	c.exec, err = graphs.NewExecutor(rt, func(in []*Node) []*Node {
		return []*Node{c.normalized(in[0])}
	})
	return c, err
}

// measure takes the statistics of the latents over scenes of both worlds.
func (c *codec) measure(rt *backends.Runtime) error {
	exec, err := graphs.NewExecutor(rt, func(in []*Node) []*Node {
		z := c.encoder.Apply(nn.Pass{}, in[0])
		return []*Node{ReduceMean(z, 0, 1, 2), ReduceMean(Square(z), 0, 1, 2)}
	})
	if err != nil {
		return err
	}
	const batches, batch = 20, 100
	sum, squares := make([]float64, c.config.LatentChannels), make([]float64, c.config.LatentChannels)
	for b := range batches {
		rng := rand.New(rand.NewPCG(101, uint64(b)))
		var pixels []float32
		for i := range batch {
			pixels = append(pixels, world.RandomScene(rng, world.Spread(i%2)).Draw(pictureSize).Pix...)
		}
		mean, square, err := exec.Call2(floats(pixels, batch, pictureSize, pictureSize, 3))
		if err != nil {
			return err
		}
		for k := range sum {
			sum[k] += float64(tensors.MustCopyFlatData[float32](mean)[k]) / batches
			squares[k] += float64(tensors.MustCopyFlatData[float32](square)[k]) / batches
		}
	}
	for k := range sum {
		c.mean = append(c.mean, float32(sum[k]))
		c.deviation = append(c.deviation, float32(math.Sqrt(squares[k]-sum[k]*sum[k])))
	}
	return nil
}

// normalized encodes pictures [B, H, W, 3] in a graph.
func (c *codec) normalized(pictures *Node) *Node {
	g := pictures.Graph()
	z := Sub(c.encoder.Apply(nn.Pass{}, pictures), Reshape(Const(g, c.mean), 1, 1, 1, -1))
	return Div(z, Reshape(Const(g, c.deviation), 1, 1, 1, -1))
}

// encode encodes pictures on the host.
func (c *codec) encode(pixels []float32) ([]float32, error) {
	out, err := c.exec.Call1(floats(pixels, len(pixels)/(pictureSize*pictureSize*3), pictureSize, pictureSize, 3))
	if err != nil {
		return nil, err
	}
	defer out.FinalizeAll()
	return tensors.MustCopyFlatData[float32](out), nil
}
