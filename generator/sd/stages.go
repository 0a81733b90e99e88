package sd

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// stage works at one resolution and ends, but for the last of its direction, by
// changing it.
type stage struct {
	name       string
	residuals  []*residual
	attentions []*spatial // as many, or none
	resizer    string     // name of the module around resize
	resize     *nn.Conv2D // nil in the last
}

// newDown reads the stage of resolution i on the way down.
func newDown(c weights.Cursor, i int, cfg unetConfig) *stage {
	s, in, out := &stage{name: c.Path()}, cfg.Channels[max(i-1, 0)], cfg.Channels[i]
	for j := range cfg.LayersPerBlock {
		s.residuals = append(s.residuals, newResidual(c.In("resnets", j), in, out, cfg))
		if cfg.DownBlocks[i] == downAttention {
			s.attentions = append(s.attentions, newSpatial(c.In("attentions", j), out, cfg.Heads.at(i), cfg))
		}
		in = out
	}
	if i < len(cfg.Channels)-1 {
		c = c.In("downsamplers", 0)
		s.resizer = c.Path()
		s.resize = nn.NewConv2D(c.In("conv"), out, out, nn.Kernel{Size: 3, Stride: 2, Padding: 1}, nn.Bias)
	}
	return s
}

// newUp reads the stage of resolution i on the way up. Every residual block of it
// gets, beside the channels of the one before, those kept on the way down: all of
// this resolution, and last what it was made of.
func newUp(c weights.Cursor, i int, cfg unetConfig) *stage {
	last := len(cfg.Channels) - 1
	s, in, out := &stage{name: c.Path()}, cfg.Channels[min(i+1, last)], cfg.Channels[i]
	for j := range cfg.LayersPerBlock + 1 {
		kept := out
		if j == cfg.LayersPerBlock {
			kept = cfg.Channels[max(i-1, 0)]
		}
		s.residuals = append(s.residuals, newResidual(c.In("resnets", j), in+kept, out, cfg))
		if cfg.UpBlocks[last-i] == upAttention {
			s.attentions = append(s.attentions, newSpatial(c.In("attentions", j), out, cfg.Heads.at(i), cfg))
		}
		in = out
	}
	if i > 0 {
		c = c.In("upsamplers", 0)
		s.resizer = c.Path()
		s.resize = newConv(c.In("conv"), out, out)
	}
	return s
}

// descend returns the stage's output and what is kept for the way up.
func (s *stage) descend(f nn.Pass, c condition, x *Node) (*Node, []*Node) {
	var kept []*Node
	for j := range s.residuals {
		x = s.layer(f, c, j, x)
		kept = append(kept, x)
	}
	if s.resize != nil {
		x = f.Record(s.resizer, s.resize.Apply(f, x))
		kept = append(kept, x)
	}
	f.RecordAll(s.name, append([]*Node{x}, kept...)...)
	return x, kept
}

// ascend takes up what was kept, the latest first, and ends at the size of what
// was kept of the next resolution.
func (s *stage) ascend(f nn.Pass, c condition, x *Node, kept []*Node, next *Node) *Node {
	for j := range s.residuals {
		x = s.layer(f, c, j, Concatenate([]*Node{x, kept[len(kept)-1-j]}, -1))
	}
	if s.resize != nil {
		x = s.enlarge(f, x, next)
	}
	return f.Record(s.name, x)
}

// layer is residual block j and its attention.
func (s *stage) layer(f nn.Pass, c condition, j int, x *Node) *Node {
	x = s.residuals[j].apply(f, c, x)
	if s.attentions == nil {
		return x
	}
	return s.attentions[j].apply(f, c, x)
}

// enlarge doubles the resolution, to that of what was kept there: halving an odd
// number of places had rounded up.
func (s *stage) enlarge(f nn.Pass, x, like *Node) *Node {
	d := like.Shape().Dimensions
	x = Slice(nn.Double(x), AxisRange(), AxisRange(0, d[1]), AxisRange(0, d[2]))
	return f.Record(s.resizer, s.resize.Apply(f, x))
}
