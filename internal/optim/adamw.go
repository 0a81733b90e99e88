// Package optim holds the optimiser of this project as pure functions over
// graph nodes.
//
// Parameters, gradients and moments go in as nodes and come out as nodes:
// nothing is kept in variables, so that the caller decides, inside the same
// graph, whether an update is taken or thrown away. The numbers agree with
// torch.optim.AdamW and torch.nn.utils.clip_grad_norm_.
//
// Graph functions panic on misuse, as those of GoMLX do.
package optim

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// AdamW is Adam with decoupled weight decay (Loshchilov and Hutter, 2019) and
// bias correction. Its zero value has torch's defaults, except that it decays
// nothing, as the paper asks.
//
// The learning rate is a node given with every update, not a field: schedules
// must not recompile the graph.
type AdamW struct {
	Beta1   float64 // decay of the mean of the gradients, in (0, 1); 0 = 0.9
	Beta2   float64 // decay of the mean of their squares, in (0, 1); 0 = 0.999
	Epsilon float64 // added to the root of the second moment; 0 = 1e-8

	// WeightDecay is the fraction of a parameter that one update of learning
	// rate 1 takes away; 0 = none.
	WeightDecay float64
}

// withDefaults fills in the fields left at zero.
func (o AdamW) withDefaults() AdamW {
	if o.Beta1 == 0 {
		o.Beta1 = 0.9
	}
	if o.Beta2 == 0 {
		o.Beta2 = 0.999
	}
	if o.Epsilon == 0 {
		o.Epsilon = 1e-8
	}
	return o
}

// Update returns the parameters and moments after one update.
//
// params, grads, m and v have one node per parameter, of equal shapes;
// gradients of another dtype are converted to the parameter's. m and v start
// as zeros. step is a scalar of any numeric dtype: the number of this update,
// counted from 1. learningRate is a scalar.
//
// It panics if the four lists differ in length or shape.
func (o AdamW) Update(params, grads, m, v []*Node, step, learningRate *Node) (newParams, newM, newV []*Node) {
	if len(grads) != len(params) || len(m) != len(params) || len(v) != len(params) {
		exceptions.Panicf("optim: %d parameters with %d gradients, %d first and %d second moments",
			len(params), len(grads), len(m), len(v))
	}
	o = o.withDefaults()
	correction1 := biasCorrection(o.Beta1, step)
	correction2 := biasCorrection(o.Beta2, step)
	for k, p := range params {
		p1, m1, v1 := o.update(p, grads[k], m[k], v[k], correction1, correction2, learningRate)
		newParams, newM, newV = append(newParams, p1), append(newM, m1), append(newV, v1)
	}
	return newParams, newM, newV
}

// update is one parameter's share of Update.
func (o AdamW) update(p, g, m, v, correction1, correction2, learningRate *Node) (newP, newM, newV *Node) {
	dtype := p.DType()
	if !g.Shape().EqualDimensions(p.Shape()) || !m.Shape().Equal(p.Shape()) || !v.Shape().Equal(p.Shape()) {
		exceptions.Panicf("optim: parameter %s with gradient %s and moments %s, %s",
			p.Shape(), g.Shape(), m.Shape(), v.Shape())
	}
	g = ConvertDType(g, dtype)
	rate := ConvertDType(learningRate, dtype)

	// m ← β₁ m + (1-β₁) g,  v ← β₂ v + (1-β₂) g²
	newM = Add(MulScalar(m, o.Beta1), MulScalar(g, 1-o.Beta1))
	newV = Add(MulScalar(v, o.Beta2), MulScalar(Square(g), 1-o.Beta2))

	// p ← p - lr·decay·p - lr · (m/c₁) / (√(v/c₂) + ε)
	denominator := AddScalar(Sqrt(Div(newV, ConvertDType(correction2, dtype))), o.Epsilon)
	stride := Div(Div(newM, ConvertDType(correction1, dtype)), denominator)
	if o.WeightDecay != 0 {
		stride = Add(stride, MulScalar(p, o.WeightDecay))
	}
	return Sub(p, Mul(rate, stride)), newM, newV
}

// biasCorrection returns 1 - beta^step as a float32 scalar. It goes through
// expm1 because in float32 the plain form loses half of its digits at the first
// steps, where beta² is near 1.
func biasCorrection(beta float64, step *Node) *Node {
	return Neg(Expm1(MulScalar(ConvertDType(step, dtypes.Float32), math.Log(beta))))
}

// ClipGlobalNorm scales the gradients so that their global norm is at most
// limit, and returns them with the norm (a float32 scalar) that they had before:
// coef = min(1, limit/(norm+1e-6)). A limit of 0 or less clips nothing.
//
// Where a gradient is not finite neither is the norm, so the norm alone tells
// whether the update may be taken.
func ClipGlobalNorm(grads []*Node, limit float64) (clipped []*Node, norm *Node) {
	if len(grads) == 0 {
		exceptions.Panicf("optim: no gradients to clip")
	}
	norm = GlobalNorm(grads)
	if limit <= 0 {
		return grads, norm
	}
	coef := MinScalar(Div(Scalar(norm.Graph(), dtypes.Float32, limit), AddScalar(norm, 1e-6)), 1)
	clipped = make([]*Node, len(grads))
	for k, g := range grads {
		clipped[k] = Mul(g, ConvertDType(coef, g.DType()))
	}
	return clipped, norm
}

// GlobalNorm returns the Euclidean norm of all values together, a float32 scalar.
func GlobalNorm(values []*Node) *Node {
	var sum *Node
	for _, x := range values {
		part := sumOfSquares(ConvertDType(x, dtypes.Float32))
		if sum == nil {
			sum = part
		} else {
			sum = Add(sum, part)
		}
	}
	return Sqrt(sum)
}

// sumOfSquares adds up in two stages where there are many values: one accumulator for
// millions of them would lose digits on a backend that adds one after the other.
func sumOfSquares(x *Node) *Node {
	const row = 1024
	x = Square(Reshape(x, -1))
	size := x.Shape().Dim(0)
	rest := size % row
	if size < 2*row {
		return ReduceAllSum(x)
	}
	sum := ReduceAllSum(ReduceSum(Reshape(Slice(x, AxisRange(0, size-rest)), -1, row), 1))
	if rest > 0 {
		sum = Add(sum, ReduceAllSum(Slice(x, AxisRange(size-rest))))
	}
	return sum
}
