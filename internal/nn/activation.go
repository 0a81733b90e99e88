package nn

import . "github.com/gomlx/gomlx/core/graph"

// QuickGELU is x·sigmoid(1.702·x), CLIP's approximation of GELU.
func QuickGELU(x *Node) *Node { return Mul(x, Sigmoid(MulScalar(x, 1.702))) }

// ReLU is max(0, x); its gradient at 0 is 0.
func ReLU(x *Node) *Node { return Max(ScalarZero(x.Graph(), x.DType()), x) }
