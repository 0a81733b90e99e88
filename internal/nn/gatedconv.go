package nn

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/weights"
	"github.com/dualprocess/dualprocess-go/lora"
)

// GatedConv is the feed-forward layer of Sana and of its autoencoder (GLUMBConv in
// diffusers): a mobile inverted bottleneck with a gated linear unit. Tokens see
// their neighbours here, which takes the place of positions.
type GatedConv struct {
	inverted, point *AdaptedConv2D
	depth           *DepthwiseConv2D
}

// NewGatedConv reads the layer, which has inner channels inside.
func NewGatedConv(c weights.Cursor, channels, inner int) *GatedConv {
	return &GatedConv{
		inverted: NewAdaptedConv2D(c.In("conv_inverted"), channels, 2*inner, 1, 1, 0),
		depth:    NewDepthwiseConv2D(c.In("conv_depth"), 2*inner, 3),
		point:    NewAdaptedConv2DNoBias(c.In("conv_point"), inner, channels, 1, 1, 0),
	}
}

// Apply keeps the shape of x [B, H, W, channels].
func (l *GatedConv) Apply(p *Probe, d *lora.Delta, x *Node) *Node {
	h := SiLU(l.inverted.Apply(d, x))
	parts := Split(p.See("conv_depth", l.depth.Apply(d, h)), -1, 2) // value, gate
	return l.point.Apply(d, Mul(parts[0], SiLU(parts[1])))
}
