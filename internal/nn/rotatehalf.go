package nn

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// RotateHalf turns the pairs of x [B, S, N, D] by their positions, in float32. The
// partner of a number is the one half a head further on, as in GPT-NeoX, Llama
// and nearly all models of transformers; Rotate pairs neighbours. cos and sin
// broadcast to [B, S, 1, D/2].
func RotateHalf(x, cos, sin *Node) *Node {
	half := x.Shape().Dim(3) / 2
	y := ConvertDType(x, dtypes.Float32)
	a := Slice(y, AxisRange(), AxisRange(), AxisRange(), AxisRange(0, half))
	b := Slice(y, AxisRange(), AxisRange(), AxisRange(), AxisRange(half))
	turned := Concatenate([]*Node{Sub(Mul(a, cos), Mul(b, sin)), Add(Mul(b, cos), Mul(a, sin))}, -1)
	return ConvertDType(turned, x.DType())
}
