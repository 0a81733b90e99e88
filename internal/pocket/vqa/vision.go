package vqa

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

const normEpsilon = 1e-6

// Vision is the vision tower: convolutions down to one token per 8x8 pixels,
// transformer blocks, and a read-out of the whole grid. Without the read-out the
// model never learned to compare places ("does the horizon lie on the line?").
type Vision struct {
	config       Config
	conv1, conv2 *nn.Conv2D
	conv3        *nn.Conv2D
	res2, res3   *residual
	position     *model.Variable // [image tokens, hidden]
	blocks       []*block
	norm         *nn.LayerNorm
	gridIn       *nn.Linear // per token, hidden to ReadoutDim
	gridOut      *nn.Linear // all of them to ReadoutWidth
	tokens       *nn.Linear // ReadoutWidth to the read-out tokens
}

// NewVision reads the vision tower's parameters at the cursor.
func NewVision(c weights.Cursor, cfg Config) *Vision {
	d, ch, readout := cfg.HiddenSize, cfg.StemChannels, c.In("readout")
	v := &Vision{
		config:   cfg,
		conv1:    nn.NewConv2D(c.In("stem", "conv1"), 3, ch[0], nn.Kernel{Size: 4, Stride: 2, Padding: 1}, nn.Bias),
		conv2:    nn.NewConv2D(c.In("stem", "conv2"), ch[0], ch[1], nn.Kernel{Size: 4, Stride: 2, Padding: 1}, nn.Bias),
		res2:     newResidual(c.In("stem", "resnet2"), ch[1]),
		conv3:    nn.NewConv2D(c.In("stem", "conv3"), ch[1], d, nn.Kernel{Size: 4, Stride: 2, Padding: 1}, nn.Bias),
		res3:     newResidual(c.In("stem", "resnet3"), d),
		position: c.Variable("pos_embed", cfg.imageTokens(), d),
		norm:     nn.NewLayerNorm(c.In("norm"), d, normEpsilon),
		gridIn:   nn.NewLinear(readout.In("grid_in"), d, cfg.ReadoutDim, nn.Bias),
		gridOut:  nn.NewLinear(readout.In("grid_out"), cfg.imageTokens()*cfg.ReadoutDim, cfg.ReadoutWidth, nn.Bias),
		tokens:   nn.NewLinear(readout.In("tokens"), cfg.ReadoutWidth, cfg.ReadoutTokens*d, nn.Bias),
	}
	for i := range cfg.VisionLayers {
		v.blocks = append(v.blocks, newBlock(c.In("blocks", i), cfg))
	}
	return v
}

// Apply maps pictures [B, H, W, 3] in [0, 1] of the configured size to tokens
// [B, image tokens + read-out tokens, hidden]. The read-out vector [B,
// ReadoutWidth] that the last tokens are made of is returned too: the training
// hangs its regressions on it.
func (v *Vision) Apply(f nn.Pass, pictures *Node) (tokens, readout *Node) {
	x := nn.GELUTanh(v.conv1.Apply(f, AddScalar(MulScalar(pictures, 2), -1)))
	x = v.res2.apply(f, nn.GELUTanh(v.conv2.Apply(f, x)))
	x = v.res3.apply(f, nn.GELUTanh(v.conv3.Apply(f, x)))
	batch, n := x.Shape().Dim(0), v.config.imageTokens()
	x = Reshape(x, batch, n, v.config.HiddenSize)
	x = Add(x, InsertAxes(ConvertDType(v.position.NodeValue(x), x.DType()), 0))
	for _, b := range v.blocks {
		x = b.apply(f, x, nil, nil)
	}
	x = v.norm.Apply(f, x)
	grid := nn.GELUTanh(v.gridIn.Apply(f, x)) // [B, n, ReadoutDim]
	readout = nn.GELUTanh(v.gridOut.Apply(f, Reshape(grid, batch, -1)))
	extra := Reshape(v.tokens.Apply(f, readout), batch, v.config.ReadoutTokens, v.config.HiddenSize)
	return Concatenate([]*Node{x, extra}, 1), readout
}

// residual is x + conv1x1(gelu(conv3x3(x))).
type residual struct{ conv1, conv2 *nn.Conv2D }

func newResidual(c weights.Cursor, channels int) *residual {
	return &residual{
		conv1: nn.NewConv2D(c.In("conv1"), channels, channels, nn.Kernel{Size: 3, Padding: 1}, nn.Bias),
		conv2: nn.NewConv2D(c.In("conv2"), channels, channels, nn.Kernel{Size: 1}, nn.Bias),
	}
}

func (r *residual) apply(f nn.Pass, x *Node) *Node {
	return Add(x, r.conv2.Apply(f, nn.GELUTanh(r.conv1.Apply(f, x))))
}
