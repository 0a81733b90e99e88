package graphs

import (
	"context"
	"errors"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
)

func open(t *testing.T) *backends.Runtime {
	rt, err := backends.Open(t.Context(), backends.Options{Backend: "go", NoDownload: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, rt.Close()) })
	return rt
}

func TestRunSpreadsItsInputs(t *testing.T) {
	p := New(open(t), "sum", func(in []*Node) []*Node {
		sum := in[0]
		for _, x := range in[1:] {
			sum = Add(sum, x)
		}
		return []*Node{sum}
	})
	defer p.Close()
	one := tensors.FromScalar(float32(1))
	out, err := p.Run(t.Context(), one, []*tensors.Tensor{one, one}, []any{float32(4), []any{[]*tensors.Tensor{one}}}, []any(nil))
	require.NoError(t, err)
	require.Equal(t, float32(8), tensors.ToScalar[float32](out[0]))

	p.Close()
	out, err = p.Run(t.Context(), one)
	require.NoError(t, err, "it is compiled again")
	require.Equal(t, float32(1), tensors.ToScalar[float32](out[0]))
	(*Program)(nil).Close()
}

func TestErrorsAreTheirCause(t *testing.T) {
	rt, sentinel := open(t), errors.New("a cause")
	finalized := tensors.FromScalar(float32(1))
	finalized.MustFinalizeAll()
	for name, test := range map[string]struct {
		build func(in []*Node) []*Node
		input any
		is    error
		says  string
	}{
		"an error":   {func([]*Node) []*Node { panic(sentinel) }, float32(1), sentinel, "draw: a cause"},
		"a text":     {func([]*Node) []*Node { panic("a text") }, float32(1), nil, "draw: a text"},
		"Panicf":     {func([]*Node) []*Node { exceptions.Panicf("%d of 3", 2); return nil }, float32(1), nil, "draw: 2 of 3"},
		"a bad axis": {func(in []*Node) []*Node { return []*Node{ReduceSum(in[0], 4)} }, float32(1), nil, ""},
		"a tensor without numbers": {
			func(in []*Node) []*Node { return in }, finalized, nil, "draw: Tensor shape is invalid",
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := New(rt, "draw", test.build)
			defer p.Close()
			_, err := p.Run(t.Context(), test.input)
			require.Error(t, err)
			require.NotContains(t, err.Error(), "graphFn")
			require.NotContains(t, err.Error(), "failed")
			if test.says != "" {
				require.EqualError(t, err, test.says)
			}
			if test.is != nil {
				require.ErrorIs(t, err, test.is)
			}
		})
	}
}

func TestNothingRunsOnceTheContextHasEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := New(open(t), "draw", func([]*Node) []*Node { panic("built") })
	_, err := p.Run(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

func TestRelease(t *testing.T) {
	x := tensors.FromScalar(float32(1))
	Release(x, nil, x)
	require.False(t, x.Ok())
}
