package training

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
)

// muon returns a matrix [out, in] and its momentum after one update of Muon
// (Jordan et al., 2024): Nesterov momentum whose singular values are brought
// near one, scaled so that a unit of learning rate means the same at any shape.
func muon(p, grad, momentum, rate *Node) (newP, newMomentum *Node) {
	const beta = 0.95
	newMomentum = Add(MulScalar(momentum, beta), MulScalar(grad, 1-beta))
	direction := orthogonalize(Add(MulScalar(newMomentum, beta), MulScalar(grad, 1-beta)))
	d := p.Shape().Dimensions
	scale := math.Sqrt(math.Max(1, float64(d[0])/float64(d[1])))
	return Sub(p, Mul(direction, MulScalar(rate, scale))), newMomentum
}

// orthogonalize brings the singular values of x near one by five steps of a
// quintic Newton-Schulz iteration whose slope at zero is steep.
func orthogonalize(x *Node) *Node {
	const a, b, c = 3.4445, -4.7750, 2.0315
	tall := x.Shape().Dim(0) > x.Shape().Dim(1)
	if tall {
		x = Transpose(x, 0, 1)
	}
	x = Div(x, AddScalar(Sqrt(ReduceAllSum(Square(x))), 1e-7))
	for range 5 {
		gram := Dot(x, x).General([]int{1}, nil, []int{1}, nil)
		poly := Add(MulScalar(gram, b), MulScalar(Dot(gram, gram).Product(), c))
		x = Add(MulScalar(x, a), Dot(poly, x).Product())
	}
	if tall {
		x = Transpose(x, 0, 1)
	}
	return x
}
