package nn

import (
	"fmt"

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
