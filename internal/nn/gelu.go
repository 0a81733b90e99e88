package nn

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
)

// GELU is x·Φ(x), Φ being the normal distribution's: the exact one ("gelu").
func GELU(x *Node) *Node {
	return Mul(MulScalar(x, 0.5), OnePlus(Erf(MulScalar(x, 1/math.Sqrt2))))
}
