package nn

import (
	"math/rand/v2"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// TestRecorder: layers record themselves under their own names, a second run under
// a second one; without a recorder nothing happens.
func TestRecorder(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, c weights.Cursor, rng *rand.Rand) {
		l := NewLinear(c.In("blocks", 0, "q"), 2, 2, Bias)
		require.NoError(t, c.Err())
		run(t, rt, func(in []*Node) []*Node {
			assert.Same(t, in[0], Pass{}.Record("x", in[0]))
			f := Pass{Recorder: &Recorder{}}
			first := l.Apply(f, in[0])
			second := l.Apply(f, first)
			f.RecordAll("norm", first, second)
			assert.Same(t, first, f.Recorder.Output("blocks.0.q"))
			assert.Same(t, second, f.Recorder.Output("blocks.0.q#2"))
			assert.Same(t, first, f.Recorder.Output("norm.0"))
			assert.Same(t, second, f.Recorder.Output("norm.1"))
			assert.Nil(t, f.Recorder.Output("blocks.0"))
			return []*Node{second}
		}, random(rng, 1, 2))
	})
}

// TestCheckpoint: recomputing a block gives the same output and gradient, and its
// layers are built a second time.
func TestCheckpoint(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, c weights.Cursor, rng *rand.Rand) {
		l := NewLinear(c.In("l"), 3, 3, Bias)
		require.NoError(t, c.Err())
		nodes := map[bool]int{}
		build := func(f Pass) func(in []*Node) []*Node {
			return func(in []*Node) []*Node {
				x := f.Enter(in[0])
				x = f.Leave(Add(x, SiLU(l.Apply(f, SiLU(l.Apply(f, x))))))
				gradient := Gradient(ReduceAllSum(Square(x)), in[0])[0]
				nodes[f.Checkpoint] = len(x.Graph().Nodes())
				return []*Node{x, gradient}
			}
		}
		x := random(rng, 2, 3)
		kept, recomputed := run(t, rt, build(Pass{}), x), run(t, rt, build(Pass{Checkpoint: true}), x)
		for i := range kept {
			assert.InDeltaSlice(t, flat(kept[i]), flat(recomputed[i]), 1e-5)
		}
		assert.Greater(t, nodes[true], nodes[false]+5)
	})
}
