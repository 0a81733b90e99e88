package sd

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
	"github.com/dualprocess/dualprocess-go/lora"
)

// UNet predicts the noise in latents: residual blocks and attention at falling and
// then rising resolutions, each of which sees again what its counterpart on the
// way down saw.
//
// Layers have the names of diffusers' UNet2DConditionModel. Pictures are
// channels-last.
type UNet struct {
	config       UNetConfig
	in           *nn.AdaptedConv2D
	time1, time2 *nn.Linear
	down         []*stage
	mid1, mid2   *residual
	mid          *spatial
	up           []*stage
	norm         *nn.GroupNorm
	out          *nn.AdaptedConv2D
}

// stage works at one resolution and ends, but for the last of its direction, by
// changing it.
type stage struct {
	residuals  []*residual
	attentions []*spatial        // as many, or none
	resize     *nn.AdaptedConv2D // nil in the last
}

// NewUNet reads the U-Net's parameters at the root of a checkpoint.
func NewUNet(c weights.Cursor, cfg UNetConfig) *UNet {
	first, last := cfg.Channels[0], len(cfg.Channels)-1
	bottom, mid := cfg.Channels[last], c.In("mid_block")
	u := &UNet{
		config: cfg,
		in:     nn.NewAdaptedConv2D(c.In("conv_in"), cfg.InChannels, first, 3, 1, 1),
		time1:  nn.NewLinear(c.In("time_embedding", "linear_1"), first, cfg.timeWidth()),
		time2:  nn.NewLinear(c.In("time_embedding", "linear_2"), cfg.timeWidth(), cfg.timeWidth()),
		mid1:   newResidual(mid.In("resnets", 0), bottom, bottom, cfg),
		mid:    newSpatial(mid.In("attentions", 0), bottom, cfg.Heads.at(last), cfg),
		mid2:   newResidual(mid.In("resnets", 1), bottom, bottom, cfg),
		norm:   nn.NewGroupNorm(c.In("conv_norm_out"), cfg.Groups, first, cfg.Epsilon),
		out:    nn.NewAdaptedConv2D(c.In("conv_out"), first, cfg.OutChannels, 3, 1, 1),
	}
	for i := range cfg.Channels {
		u.down = append(u.down, newDown(c.In("down_blocks", i), i, cfg))
		u.up = append(u.up, newUp(c.In("up_blocks", i), last-i, cfg))
	}
	return u
}

// newDown reads the stage of resolution i on the way down.
func newDown(c weights.Cursor, i int, cfg UNetConfig) *stage {
	s, in, out := &stage{}, cfg.Channels[max(i-1, 0)], cfg.Channels[i]
	for j := range cfg.LayersPerBlock {
		s.residuals = append(s.residuals, newResidual(c.In("resnets", j), in, out, cfg))
		if cfg.DownBlocks[i] == downAttention {
			s.attentions = append(s.attentions, newSpatial(c.In("attentions", j), out, cfg.Heads.at(i), cfg))
		}
		in = out
	}
	if i < len(cfg.Channels)-1 {
		s.resize = nn.NewAdaptedConv2D(c.In("downsamplers", 0, "conv"), out, out, 3, 2, 1)
	}
	return s
}

// newUp reads the stage of resolution i on the way up. Every residual block of it
// gets, beside the channels of the one before, those kept on the way down: all of
// this resolution, and last what it was made of.
func newUp(c weights.Cursor, i int, cfg UNetConfig) *stage {
	last := len(cfg.Channels) - 1
	s, in, out := &stage{}, cfg.Channels[min(i+1, last)], cfg.Channels[i]
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
		s.resize = nn.NewAdaptedConv2D(c.In("upsamplers", 0, "conv"), out, out, 3, 1, 1)
	}
	return s
}

// apply maps latents [B, H, W, C] at times [B] or [1] (float32, those of the
// training) with text [B, T, width] to what the U-Net predicts, of the latents'
// shape and dtype.
func (u *UNet) apply(p *nn.Probe, d *lora.Delta, latents, time, text *Node, checkpoint bool) *Node {
	dtype := latents.DType()
	waves := p.See("time_proj", nn.SineWaves(time, u.config.Channels[0], dtype))
	embedding := p.See("time_embedding", u.time2.Apply(d, nn.SiLU(u.time1.Apply(d, waves))))
	f := pass{delta: d, time: nn.SiLU(embedding), text: ConvertDType(text, dtype), checkpoint: checkpoint}

	x := p.See("conv_in", u.in.Apply(d, latents))
	kept := []*Node{x}
	for i, s := range u.down {
		var more []*Node
		x, more = s.descend(p.In("down_blocks", i), f, x)
		kept = append(kept, more...)
	}
	x = u.mid1.apply(f, x)
	x = u.mid.apply(p.In("mid_block", "attentions", 0), f, x)
	x = p.See("mid_block", u.mid2.apply(f, x))
	for i, s := range u.up {
		rest := len(kept) - len(s.residuals)
		x = s.ascend(p.In("up_blocks", i), f, x, kept[rest:])
		kept = kept[:rest]
		if s.resize != nil {
			x = s.enlarge(p.In("up_blocks", i), f, x, kept[rest-1])
		}
		p.In("up_blocks").See(i, x)
	}
	x = nn.SiLU(p.See("conv_norm_out", u.norm.Apply(x)))
	return p.See("conv_out", u.out.Apply(d, x))
}

// descend returns the stage's output and what is kept for the way up.
func (s *stage) descend(p *nn.Probe, f pass, x *Node) (*Node, []*Node) {
	var kept []*Node
	for j := range s.residuals {
		x = s.layer(p, f, j, x)
		kept = append(kept, x)
	}
	if s.resize != nil {
		x = p.In("downsamplers").See(0, s.resize.Apply(f.delta, x))
		kept = append(kept, x)
	}
	p.See(0, x)
	for j, k := range kept {
		p.See(j+1, k)
	}
	return x, kept
}

// ascend takes up what was kept, the latest first.
func (s *stage) ascend(p *nn.Probe, f pass, x *Node, kept []*Node) *Node {
	for j := range s.residuals {
		x = s.layer(p, f, j, Concatenate([]*Node{x, kept[len(kept)-1-j]}, -1))
	}
	return x
}

// layer is residual block j and its attention.
func (s *stage) layer(p *nn.Probe, f pass, j int, x *Node) *Node {
	x = p.In("resnets").See(j, s.residuals[j].apply(f, x))
	if s.attentions == nil {
		return x
	}
	return p.In("attentions").See(j, s.attentions[j].apply(p.In("attentions", j), f, x))
}

// enlarge doubles the resolution, to that of what was kept there: halving an odd
// number of places had rounded up.
func (s *stage) enlarge(p *nn.Probe, f pass, x, like *Node) *Node {
	d := like.Shape().Dimensions
	x = Slice(nn.Double(x), AxisRange(), AxisRange(0, d[1]), AxisRange(0, d[2]))
	return p.In("upsamplers").See(0, s.resize.Apply(f.delta, x))
}
