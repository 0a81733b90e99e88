package sd

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// unet predicts the noise in latents: residual blocks and attention at falling and
// then rising resolutions, each of which is given again what its counterpart on
// the way down made.
//
// Layers have the names of diffusers' UNet2DConditionModel. Pictures are
// channels-last.
type unet struct {
	config     unetConfig
	in         *nn.Conv2D
	time       *nn.MLP
	down       []*stage
	mid1, mid2 *residual
	mid        *spatial
	up         []*stage
	norm       *nn.GroupNorm
	out        *nn.Conv2D
}

// newUNet reads the U-Net's parameters at the root of a checkpoint.
func newUNet(c weights.Cursor, cfg unetConfig) *unet {
	first, last := cfg.Channels[0], len(cfg.Channels)-1
	bottom, mid := cfg.Channels[last], c.In("mid_block")
	u := &unet{
		config: cfg,
		in:     newConv(c.In("conv_in"), cfg.InChannels, first),
		time:   nn.NewMLP(c.In("time_embedding"), "linear_1", "linear_2", first, cfg.timeWidth(), cfg.timeWidth(), nn.SiLU),
		mid1:   newResidual(mid.In("resnets", 0), bottom, bottom, cfg),
		mid:    newSpatial(mid.In("attentions", 0), bottom, cfg.Heads.at(last), cfg),
		mid2:   newResidual(mid.In("resnets", 1), bottom, bottom, cfg),
		norm:   nn.NewGroupNorm(c.In("conv_norm_out"), cfg.Groups, first, cfg.Epsilon),
		out:    newConv(c.In("conv_out"), first, cfg.OutChannels),
	}
	for i := range cfg.Channels {
		u.down = append(u.down, newDown(c.In("down_blocks", i), i, cfg))
		u.up = append(u.up, newUp(c.In("up_blocks", i), last-i, cfg))
	}
	return u
}

// apply maps latents [B, H, W, C] at times [B] or [1] (float32, those of the
// training) with text [B, T, width] to what the U-Net predicts, of the latents'
// shape and dtype.
func (u *unet) apply(f nn.Pass, latents, time, text *Node) *Node {
	dtype := latents.DType()
	waves := f.Record("time_proj", nn.SineWaves(time, u.config.Channels[0], dtype))
	c := condition{time: nn.SiLU(u.time.Apply(f, waves)), text: ConvertDType(text, dtype)}

	x := u.in.Apply(f, latents)
	kept := []*Node{x}
	for _, s := range u.down {
		var more []*Node
		x, more = s.descend(f, c, x)
		kept = append(kept, more...)
	}
	x = u.mid1.apply(f, c, x)
	x = u.mid.apply(f, c, x)
	x = f.Record("mid_block", u.mid2.apply(f, c, x))
	for _, s := range u.up {
		rest := len(kept) - len(s.residuals)
		x = s.ascend(f, c, x, kept[rest:], kept[max(rest-1, 0)])
		kept = kept[:rest]
	}
	return u.out.Apply(f, nn.SiLU(u.norm.Apply(f, x)))
}
