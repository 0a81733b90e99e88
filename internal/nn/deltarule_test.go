package nn

import (
	"math"
	"math/rand/v2"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
)

// TestGatedDeltaRule compares chunks with the recurrence, token by token, from a state
// that is not zero and from one that is; also for keys that are all alike, which make
// the triangular system as large as it gets.
func TestGatedDeltaRule(t *testing.T) {
	const b, n, d, e = 2, 3, 4, 5
	rt, err := backends.Open(t.Context(), backends.Options{Backend: "go", NoDownload: true})
	require.NoError(t, err)
	defer rt.Close()
	rng := rand.New(rand.NewPCG(3, 4))
	draw := func(low, high float64, dims ...int) *tensors.Tensor { return uniform(rng, low, high, dims...) }
	for name, test := range map[string]struct {
		tokens int
		alike  bool
	}{"one": {1, false}, "odd": {5, false}, "a chunk": {64, false}, "three chunks": {130, false}, "alike": {128, true}} {
		t.Run(name, func(t *testing.T) {
			s := test.tokens
			decay, k := draw(-0.5, 0, b, s, n), draw(-0.5, 0.5, b, s, n, d)
			if test.alike {
				decay, k = draw(-1e-4, 0, b, s, n), draw(0.5, 0.5, b, s, n, d)
			}
			inputs := []any{draw(-1, 1, b, s, n, d), k, draw(-1, 1, b, s, n, e), decay, draw(0, 1, b, s, n), draw(-1, 1, b, n, d, e)}
			got := run(t, rt, func(in []*Node) []*Node {
				out, next := GatedDeltaRule(in[0], in[1], in[2], in[3], in[4], in[5])
				slow, last := tokenByToken(in)
				empty, _ := GatedDeltaRule(in[0], in[1], in[2], in[3], in[4], nil)
				zero, _ := tokenByToken(append(in[:5:5], ZerosLike(in[5])))
				return []*Node{
					out, slow, next, last, empty, zero,
					Gradient(ReduceAllSum(Square(out)), in[1])[0], Gradient(ReduceAllSum(Square(slow)), in[1])[0],
				}
			}, inputs...)
			for i := 0; i < len(got); i += 2 {
				same(t, flat(got[i+1]), flat(got[i]))
			}
		})
	}
}

// uniform draws numbers between two.
func uniform(rng *rand.Rand, low, high float64, dims ...int) *tensors.Tensor {
	x := random(rng, dims...)
	tensors.MustMutableFlatData(x, func(values []float32) {
		for i := range values {
			values[i] = float32(low + (high-low)*rng.Float64())
		}
	})
	return x
}

// same compares numbers relative to the largest.
func same(t *testing.T, want, got []float32) {
	t.Helper()
	largest := 0.
	for _, x := range want {
		largest = max(largest, math.Abs(float64(x)))
	}
	require.NotZero(t, largest)
	require.InDeltaSlice(t, want, got, 2e-5*largest)
}

// tokenByToken is the definition.
func tokenByToken(in []*Node) (out, state *Node) {
	state = in[5]
	var parts []*Node
	for i := range in[0].Shape().Dim(1) {
		at := func(x *Node) *Node { return Squeeze(Slice(x, AxisRange(), AxisElem(i)), 1) }
		q, k, v := at(in[0]), at(in[1]), at(in[2])
		state = Mul(state, InsertAxes(Exp(at(in[3])), -1, -1))
		change := Mul(Sub(v, Einsum("bnd,bnde->bne", k, state)), InsertAxes(at(in[4]), -1))
		state = Add(state, Einsum("bnd,bne->bnde", k, change))
		parts = append(parts, InsertAxes(Einsum("bnd,bnde->bne", q, state), 1))
	}
	return Concatenate(parts, 1), state
}
