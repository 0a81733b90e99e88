package nn

import (
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// Activation returns the function that transformers knows under a name, as
// configurations give it. The error wraps hf.ErrConfig where there is none.
func Activation(name string) (func(x *Node) *Node, error) {
	switch name {
	case "gelu":
		return GELU, nil
	case "gelu_pytorch_tanh", "gelu_new":
		return GELUTanh, nil
	case "quick_gelu":
		return QuickGELU, nil
	case "silu", "swish":
		return SiLU, nil
	}
	return nil, fmt.Errorf("%w: activation %q", hf.ErrConfig, name)
}

// MustActivation is Activation for a name that has been checked.
func MustActivation(name string) func(x *Node) *Node {
	f, err := Activation(name)
	if err != nil {
		panic(err)
	}
	return f
}

// SiLU is x·sigmoid(x).
func SiLU(x *Node) *Node { return Mul(x, Sigmoid(x)) }

// ReLU is max(0, x); its gradient at 0 is 0.
func ReLU(x *Node) *Node { return Max(ScalarZero(x.Graph(), x.DType()), x) }

// GELU is x·Φ(x), Φ being the normal distribution's: the exact one ("gelu").
func GELU(x *Node) *Node {
	return Mul(MulScalar(x, 0.5), OnePlus(Erf(MulScalar(x, 1/math.Sqrt2))))
}

// GELUTanh is the tanh approximation of GELU ("gelu_pytorch_tanh", "gelu_new").
func GELUTanh(x *Node) *Node {
	const rootTwoOverPi = 0.7978845608028654
	inner := MulScalar(Add(x, MulScalar(Mul(Square(x), x), 0.044715)), rootTwoOverPi)
	return Mul(MulScalar(x, 0.5), OnePlus(Tanh(inner)))
}

// QuickGELU is x·sigmoid(1.702·x), CLIP's approximation of GELU.
func QuickGELU(x *Node) *Node { return Mul(x, Sigmoid(MulScalar(x, 1.702))) }
