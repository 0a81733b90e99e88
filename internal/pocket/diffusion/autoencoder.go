package diffusion

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// Decoder draws the picture that normalised latents stand for. It is small on
// purpose: a decoder that can paint any pixel is one that an optimiser can make
// paint adversarial ones.
type Decoder struct {
	in     *nn.Conv2D
	stages []stage
	out    *nn.Conv2D
}

// stage works at one resolution and ends by doubling it.
type stage struct {
	residuals []*Residual
	up        *nn.Conv2D // 1x1 to four times the next channels, before the pixel shuffle
}

// NewDecoder reads the decoder's parameters at the cursor.
func NewDecoder(c weights.Cursor, cfg DecoderConfig) *Decoder {
	d := &Decoder{in: nn.NewConv2D(c.In("conv_in"), cfg.LatentChannels, cfg.BlockChannels[0], nn.Kernel{Size: 3, Padding: 1}, nn.Bias)}
	last := len(cfg.BlockChannels) - 1
	for i, channels := range cfg.BlockChannels {
		at := c.In("up_blocks", i)
		var s stage
		for j := range cfg.LayersPerBlock {
			s.residuals = append(s.residuals, NewResidual(at.In("resnets", j), channels))
		}
		if i < last {
			s.up = nn.NewConv2D(at.In("upsample"), channels, 4*cfg.BlockChannels[i+1], nn.Kernel{Size: 1}, nn.Bias)
		}
		d.stages = append(d.stages, s)
	}
	d.out = nn.NewConv2D(c.In("conv_out"), cfg.BlockChannels[last], 4*3, nn.Kernel{Size: 3, Padding: 1}, nn.Bias)
	return d
}

// Apply maps latents [B, H, W, C] to pictures [B, 8H, 8W, 3], nominally in
// [0, 1], not clamped (for three resolutions; 2ⁿ in general).
func (d *Decoder) Apply(f nn.Pass, latents *Node) *Node {
	x := d.in.Apply(f, latents)
	for _, s := range d.stages {
		for _, r := range s.residuals {
			x = r.Apply(f, x)
		}
		x = nn.SiLU(x)
		if s.up != nil {
			x = nn.Unpatch(s.up.Apply(f, x), 2)
		}
	}
	return AddScalar(MulScalar(nn.Unpatch(d.out.Apply(f, x), 2), 0.5), 0.5)
}

// Residual is x + conv1x1(silu(conv3x3(silu(x)))).
type Residual struct {
	conv1, conv2 *nn.Conv2D
}

// NewResidual reads a residual block.
func NewResidual(c weights.Cursor, channels int) *Residual {
	return &Residual{
		conv1: nn.NewConv2D(c.In("conv1"), channels, channels, nn.Kernel{Size: 3, Padding: 1}, nn.Bias),
		conv2: nn.NewConv2D(c.In("conv2"), channels, channels, nn.Kernel{Size: 1}, nn.Bias),
	}
}

// Apply keeps the shape of x [B, H, W, channels].
func (r *Residual) Apply(f nn.Pass, x *Node) *Node {
	return Add(x, r.conv2.Apply(f, nn.SiLU(r.conv1.Apply(f, nn.SiLU(x)))))
}
