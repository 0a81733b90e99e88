package verifiertest

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
)

// subject is the verifier under test with its questions prepared.
type subject struct {
	Options
	rt       *backends.Runtime
	v        dualprocess.Verifier
	prepared []dualprocess.Inputs // per question
	pictures []*tensors.Tensor    // two, [1, height, width, 3]
}

func newSubject(t *testing.T, rt *backends.Runtime, v dualprocess.Verifier, o Options) *subject {
	s := &subject{Options: o, rt: rt, v: v}
	for _, q := range o.Questions {
		s.prepared = append(s.prepared, s.prepare(t, q))
	}
	for seed := range 2 {
		s.pictures = append(s.pictures, s.picture(uint64(seed)))
	}
	return s
}

func (s *subject) prepare(t *testing.T, q dualprocess.Question) dualprocess.Inputs {
	in, err := s.v.Prepare(t.Context(), q, s.Height, s.Width)
	require.NoError(t, err, "Prepare %q", q.Prompt())
	for k, x := range in {
		require.NotNil(t, x, "tensor %d of %q", k, q.Prompt())
	}
	return in
}

// picture draws waves of colour in the middle of the range, so that a small step
// leaves them in it, and one pixel that is much darker and one much brighter, so
// that it makes no others the extremes.
func (s *subject) picture(seed uint64) *tensors.Tensor {
	rng := rand.New(rand.NewPCG(seed, 1))
	values := make([]float32, 0, s.Height*s.Width*3)
	var waves [3][3]float64
	for c := range waves {
		waves[c] = [3]float64{4 * rng.Float64(), 4 * rng.Float64(), 6 * rng.Float64()}
	}
	for y := range s.Height {
		for x := range s.Width {
			for c := range 3 {
				w := waves[c]
				at := 2*math.Pi*(w[0]*float64(y)/float64(s.Height)+w[1]*float64(x)/float64(s.Width)) + w[2]
				values = append(values, float32(0.5+0.15*math.Sin(at)+0.1*(rng.Float64()-0.5)))
			}
		}
	}
	values[len(values)/3], values[len(values)/2] = 0.1, 0.9
	return tensors.FromFlatDataAndDimensions(values, 1, s.Height, s.Width, 3)
}

// both pictures as a batch.
func (s *subject) both() *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(append(flat(s.pictures[0]), flat(s.pictures[1])...), 2, s.Height, s.Width, 3)
}

// given lists the inputs of a graph: pictures, and the questions of some numbers.
func (s *subject) given(pictures *tensors.Tensor, questions []int) []any {
	in := []any{pictures}
	for _, k := range questions {
		for _, x := range s.prepared[k] {
			in = append(in, x)
		}
	}
	return in
}

// take sorts the nodes of such inputs.
func (s *subject) take(in []*Node, questions []int) (pictures *Node, nodes [][]*Node) {
	pictures, in = in[0], in[1:]
	for _, k := range questions {
		n := len(s.prepared[k])
		nodes, in = append(nodes, in[:n:n]), in[n:]
	}
	return pictures, nodes
}

// exec compiles a graph function of pictures and questions.
func (s *subject) exec(t *testing.T, questions []int, build func(pictures *Node, nodes [][]*Node) []*Node) func(pictures *tensors.Tensor) []*tensors.Tensor {
	exec, err := graphs.NewExecutor(s.rt, func(in []*Node) []*Node {
		return build(s.take(in, questions))
	})
	require.NoError(t, err)
	t.Cleanup(exec.Finalize)
	return func(pictures *tensors.Tensor) []*tensors.Tensor {
		out, err := exec.Call(s.given(pictures, questions)...)
		require.NoError(t, err)
		return out
	}
}

// rater returns the log-probabilities, per question and picture.
func (s *subject) rater(t *testing.T, questions ...int) func(pictures *tensors.Tensor) [][]float32 {
	run := s.exec(t, questions, func(pictures *Node, nodes [][]*Node) []*Node { return s.v.LogProbs(pictures, nodes) })
	return func(pictures *tensors.Tensor) [][]float32 {
		out := run(pictures)
		require.Len(t, out, len(questions), "LogProbs answers each question")
		rates := make([][]float32, len(out))
		for k, x := range out {
			require.Equal(t, dtypes.Float32, x.DType(), "of LogProbs")
			require.Equal(t, []int{pictures.Shape().Dim(0)}, x.Shape().Dimensions, "of LogProbs: the batch")
			rates[k] = flat(x)
			for _, v := range rates[k] {
				require.False(t, math.IsNaN(float64(v)) || math.IsInf(float64(v), 0), "log-probability %v", v)
			}
		}
		return rates
	}
}

// near compares log-probabilities that would be equal but for rounding.
func (s *subject) near(t *testing.T, want, got float32, what string) {
	tolerance := 2e-5
	if s.rt.DType.IsHalfPrecision() {
		tolerance = 0.05
	}
	require.InDelta(t, want, got, tolerance*max(1, math.Abs(float64(want))), what)
}

func flat(x *tensors.Tensor) []float32 { return tensors.MustCopyFlatData[float32](x) }
