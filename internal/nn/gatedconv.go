package nn

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// GatedConv is the feed-forward layer of Sana and of its autoencoder (GLUMBConv in
// diffusers): a mobile inverted bottleneck with a gated linear unit. Its kernel of
// 3x3 over neighbouring tokens takes the place of position embeddings.
type GatedConv struct {
	name            string
	inverted, point *Conv2D
	depth           *DepthwiseConv2D
}

// NewGatedConv reads the layer, which has inner channels inside.
func NewGatedConv(c weights.Cursor, channels, inner int) *GatedConv {
	return &GatedConv{
		name:     c.Path(),
		inverted: NewConv2D(c.In("conv_inverted"), channels, 2*inner, Kernel{Size: 1}, Bias),
		depth:    NewDepthwiseConv2D(c.In("conv_depth"), 2*inner, 3, Bias),
		point:    NewConv2D(c.In("conv_point"), inner, channels, Kernel{Size: 1}, NoBias),
	}
}

// Apply keeps the shape of x [B, H, W, channels].
func (l *GatedConv) Apply(f Pass, x *Node) *Node {
	h := SiLU(l.inverted.Apply(f, x))
	parts := Split(l.depth.Apply(f, h), -1, 2)
	x, gate := parts[0], parts[1]
	return f.Record(l.name, l.point.Apply(f, Mul(x, SiLU(gate))))
}
