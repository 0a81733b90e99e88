package graphs

import (
	"errors"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/cost"
)

// twice is a program of x·w·w, for the store's variable w.
func twice(rt *backends.Runtime) *Program {
	w := rt.Store.VariableWithShape("/m/w", shapes.Make(dtypes.Float32, 4, 4), nil)
	return New(rt, Key{Name: "twice"}, func(in []*Node) []*Node {
		w := w.NodeValue(in[0])
		return []*Node{MatMul(MatMul(in[0], w), w)}
	})
}

var twiceCost = cost.Cost{Weights: 64, Inputs: 64, Outputs: 64, Scratch: 64, Operations: 256}

// TestMeasure: nothing is compiled, and a variable needs no value.
func TestMeasure(t *testing.T) {
	rt := open(t)
	c, err := twice(rt).Measure(t.Context(), tensors.FromShape(shapes.Make(dtypes.Float32, 4, 4)))
	require.NoError(t, err)
	require.Equal(t, twiceCost, c)
	require.Zero(t, StatsOf(rt).Compiled)

	sentinel := errors.New("a cause")
	_, err = New(rt, Key{Name: "bad"}, func([]*Node) []*Node { panic(sentinel) }).Measure(t.Context(), float32(1))
	require.EqualError(t, err, "bad: a cause")
	require.ErrorIs(t, err, sentinel)
}

func TestCompiled(t *testing.T) {
	p := double(open(t), nil, "")
	require.False(t, p.Compiled(float32(1)))
	out, err := p.Run(t.Context(), float32(1))
	require.NoError(t, err)
	Release(out...)
	require.True(t, p.Compiled(float32(1)))
	require.False(t, p.Compiled(int32(1)))
}

// TestSketched: a program on a sketch gives zeros, and tells what it would take.
func TestSketched(t *testing.T) {
	rt, err := backends.Sketch(t.Context(), backends.Options{Backend: "xla:cpu"})
	require.NoError(t, err)
	defer rt.Close()
	var events []Event
	ctx := Observed(t.Context(), func(e Event) { events = append(events, e) })
	out, err := twice(rt).Run(ctx, [][]float32{{1, 2, 3, 4}, {1, 2, 3, 4}, {1, 2, 3, 4}, {1, 2, 3, 4}})
	require.NoError(t, err)
	require.Equal(t, make([]float32, 16), tensors.MustCopyFlatData[float32](out[0]))
	require.Equal(t, []Event{{Program: "twice", Cost: &twiceCost}}, events)
}
