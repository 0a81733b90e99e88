package verifiertest

import (
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"
)

// testLogProbs: they are of probabilities, and depend on picture and question.
func (s *subject) testLogProbs(t *testing.T) {
	rates := s.rater(t, 0, 1)
	first, second := rates(s.pictures[0]), rates(s.pictures[1])
	for k := range first {
		require.LessOrEqual(t, first[k][0], float32(1e-5), "the logarithm of more than 1")
		require.NotEqual(t, first[k][0], second[k][0], "another picture makes no difference to %q", s.Questions[k].Prompt())
	}
	require.NotEqual(t, first[0][0], first[1][0], "another question makes no difference")
}

func (s *subject) testSameBits(t *testing.T) {
	rate := s.rater(t, 0)
	require.Equal(t, rate(s.pictures[0]), rate(s.pictures[0]))
	require.Equal(t, rate(s.pictures[0]), s.rater(t, 0)(s.pictures[0]), "compiled again")
}

// testBatch: the pictures of a batch have no effect on each other.
func (s *subject) testBatch(t *testing.T) {
	rate := s.rater(t, 0, 1)
	both := rate(s.both())
	for p, picture := range s.pictures {
		alone := rate(picture)
		for k := range alone {
			s.near(t, alone[k][0], both[k][p], "in a batch")
		}
	}
}

// testQuestions: nor do questions that are asked together.
func (s *subject) testQuestions(t *testing.T) {
	together, other := s.rater(t, 0, 1, 0)(s.pictures[0]), s.rater(t, 1, 0)(s.pictures[0])
	for k := range 2 {
		alone := s.rater(t, k)(s.pictures[0])[0][0]
		s.near(t, alone, together[k][0], "asked with others")
		s.near(t, alone, other[1-k][0], "asked in another order")
	}
	s.near(t, together[0][0], together[2][0], "asked twice")
}

// testTwice: questions under another overlay are another call in the same graph.
func (s *subject) testTwice(t *testing.T) {
	run := s.exec(t, []int{0, 1}, func(pictures *Node, nodes [][]*Node) []*Node {
		darker := s.v.LogProbs(MulScalar(pictures, 0.9), nodes[:1])
		return append(darker, s.v.LogProbs(pictures, nodes[1:])...)
	})
	out := run(s.pictures[0])
	s.near(t, s.rater(t, 1)(s.pictures[0])[0][0], flat(out[1])[0], "in the second call")
}

// testGradient: the gradient is finite, and a step along it changes the loss as it
// says, in a batch too.
func (s *subject) testGradient(t *testing.T) {
	run := s.exec(t, []int{0, 1}, func(pictures *Node, nodes [][]*Node) []*Node {
		return Gradient(Neg(ReduceAllMean(Stack(s.v.LogProbs(pictures, nodes), 0))), pictures)
	})
	gradient := flat(run(s.pictures[0])[0])
	norm := 0.0
	for _, g := range gradient {
		norm += float64(g) * float64(g)
	}
	norm = math.Sqrt(norm)
	require.False(t, math.IsNaN(norm) || math.IsInf(norm, 0), "the gradient is not finite")
	require.NotZero(t, norm, "no gradient reaches the pixels")
	s.compareSlope(t, gradient, norm)

	both := flat(run(s.both())[0])
	for i, g := range gradient {
		require.InDelta(t, g/2, both[i], 0.01*norm, "of pixel %d in a batch of two", i)
	}
}

// compareSlope steps along the gradient in both directions, and compares the
// slope with the gradient's norm. How far to step depends on the model: too far
// and the loss bends, too near and its rounding counts. A wrong gradient agrees
// with no step.
func (s *subject) compareSlope(t *testing.T, gradient []float32, norm float64) {
	rate := s.rater(t, 0, 1)
	loss := func(x *tensors.Tensor) float64 {
		logP := rate(x)
		return -(float64(logP[0][0]) + float64(logP[1][0])) / 2
	}
	changes, tolerance := []float64{3e-2, 3e-3, 3e-4}, 0.02
	if s.rt.DType.IsHalfPrecision() {
		changes, tolerance = []float64{1, 0.3, 0.1}, 0.3
	}
	moved := func(step float64) *tensors.Tensor {
		values := flat(s.pictures[0])
		for i, g := range gradient {
			values[i] += float32(step * float64(g) / norm)
		}
		return tensors.FromFlatDataAndDimensions(values, 1, s.Height, s.Width, 3)
	}
	best := math.Inf(1)
	for _, change := range changes {
		if best <= tolerance {
			break
		}
		step := change / norm
		slope := (loss(moved(step)) - loss(moved(-step))) / (2 * step)
		best = min(best, math.Abs(slope/norm-1))
	}
	require.LessOrEqual(t, best, tolerance, "the slope by finite differences is not the gradient's norm")
}
