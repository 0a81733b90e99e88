package training

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/pocket/diffusion"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// encoder turns pictures into latents. Only the training needs it.
type encoder struct {
	downs     [3]*nn.Conv2D // each halves the picture
	residuals [3][]*diffusion.Residual
	out       *nn.Conv2D
}

func newEncoder(c weights.Cursor, latentChannels int) *encoder {
	e := &encoder{}
	in := 3
	for i, channels := range []int{24, 48, 96} {
		at := c.In("down_blocks", i)
		e.downs[i] = nn.NewConv2D(at.In("downsample"), in, channels, nn.Kernel{Size: 4, Stride: 2, Padding: 1}, nn.Bias)
		for j := range i { // none at the finest resolution: they'd cost the most there
			e.residuals[i] = append(e.residuals[i], diffusion.NewResidual(at.In("resnets", j), channels))
		}
		in = channels
	}
	e.out = nn.NewConv2D(c.In("conv_out"), in, latentChannels, nn.Kernel{Size: 1}, nn.Bias)
	return e
}

// Apply maps pictures [B, 64, 64, 3] in [0, 1] to latents [B, 8, 8, C] before normalisation.
func (e *encoder) Apply(f nn.Pass, pictures *Node) *Node {
	x := AddScalar(MulScalar(pictures, 2), -1)
	for i, down := range e.downs {
		x = down.Apply(f, x)
		for _, r := range e.residuals[i] {
			x = r.Apply(f, x)
		}
		x = nn.SiLU(x)
	}
	return e.out.Apply(f, x)
}
