package pipeline

import (
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
)

// Flow is the grid of noise levels of a rectified flow, whose latents lie on the
// straight line σ·noise + (1-σ)·clean and whose network predicts the velocity,
// noise - clean: the sampler's steps and, after them, the levels of the model's
// training, which all methods but Step know as well.
type Flow struct {
	Sigmas []float32 // noise levels, from 1 down
	Next   []float32 // after a step of the sampler; 0 after the last
	Times  []float32 // what the network is told of a level
}

// NewFlow tabulates the levels of the sampler's steps and of the training. time is
// what the network is told of a level.
func NewFlow(steps, levels []float32, time func(sigma float32) float32) Flow {
	f := Flow{Sigmas: slices.Concat(steps, levels), Next: slices.Concat(steps[1:], []float32{0})}
	for _, sigma := range f.Sigmas {
		f.Times = append(f.Times, time(sigma))
	}
	return f
}

// Steps is the number of the sampler's steps.
func (f Flow) Steps() int { return len(f.Next) }

// Levels is the number of the training's levels.
func (f Flow) Levels() int { return len(f.Sigmas) - len(f.Next) }

// Time returns what the network is told at i, a float32 scalar.
func (f Flow) Time(i *Node) *Node { return At(f.Times, i) }

// Clean returns x - σᵢ·v.
func (f Flow) Clean(latents, velocity, i *Node) *Node {
	return Sub(latents, Mul(At(f.Sigmas, i), velocity))
}

// Step returns the latents of step i+1 by Euler's rule.
func (f Flow) Step(latents, velocity, i *Node) *Node {
	change := Sub(At(f.Next, i), At(f.Sigmas, i))
	return Add(latents, Mul(change, velocity))
}

// Noise returns the latents of step i on the straight line from clean to noise.
func (f Flow) Noise(clean, noise, i *Node) *Node {
	sigma := At(f.Sigmas, i)
	return Add(Mul(OneMinus(sigma), clean), Mul(sigma, noise))
}

// At returns the table's value at i (int32 scalar), a float32 scalar: how the
// numbers of a schedule reach a graph that serves all steps.
func At(table []float32, i *Node) *Node {
	return Reshape(Gather(Const(i.Graph(), table), Reshape(i, 1, 1)))
}

// Linspace is number k of n in equal steps from start to end, as numpy computes it.
// The conversion keeps compilers from fusing operations, which moves the last bit.
func Linspace(start, end float64, k, n int) float64 {
	switch {
	case n > 1 && k == n-1:
		return end
	case n > 1:
		return start + float64(float64(k)*((end-start)/float64(n-1)))
	}
	return start
}
