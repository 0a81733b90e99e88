package graphs

import (
	"context"
	"errors"
	"sync"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/stretchr/testify/assert"
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
	p := New(open(t), Key{Name: "sum"}, func(in []*Node) []*Node {
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

	out, err = p.Run(t.Context(), one)
	require.NoError(t, err, "it is compiled for one input, too")
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
			func(in []*Node) []*Node { return in }, finalized, nil, "draw: an input is nil or was freed",
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := NewOwn(rt, Key{Name: "draw"}, test.build)
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

// fake is a model that a graph function calls.
type fake struct{ name string }

// double returns a program that doubles its input, of a model and a form.
func double(rt *backends.Runtime, m any, form string) *Program {
	return New(rt, Key{Name: "double", Models: [2]any{m}, Form: form}, func(in []*Node) []*Node { return []*Node{Add(in[0], in[0])} })
}

func TestProgramsAreShared(t *testing.T) {
	rt := open(t)
	run := func(p *Program, x any) {
		t.Helper()
		out, err := p.Run(t.Context(), x)
		require.NoError(t, err)
		Release(out...)
	}
	first, second := &fake{"first"}, &fake{"second"}
	for _, step := range []struct {
		what     string
		program  *Program
		x        any
		compiled int
	}{
		{"the first", double(rt, first, "a"), float32(1), 1},
		{"again", double(rt, first, "a"), float32(2), 1},
		{"another shape", double(rt, first, "a"), []float32{1, 2}, 2},
		{"another dtype", double(rt, first, "a"), int32(1), 3},
		{"another form", double(rt, first, "b"), float32(1), 4},
		{"another model", double(rt, second, "a"), float32(1), 5},
		{"a model that has no ==", double(rt, []int{1}, "a"), float32(1), 6},
		{"the same", double(rt, []int{1}, "a"), float32(1), 7},
		{"the first again", double(rt, first, "a"), float32(3), 7},
	} {
		run(step.program, step.x)
		require.Equal(t, step.compiled, StatsOf(rt).Compiled, step.what)
	}
	require.Equal(t, 7, StatsOf(rt).Kept)
	require.Positive(t, StatsOf(rt).Time)

	Forget(rt, first)
	Forget(rt, []int{1})
	require.Equal(t, 3, StatsOf(rt).Kept)
	bad := New(rt, Key{Name: "bad"}, func(in []*Node) []*Node { panic("bad") })
	_, err := bad.Run(t.Context(), float32(1))
	require.EqualError(t, err, "bad: bad")
	require.Equal(t, 3, StatsOf(rt).Kept, "what does not compile is not kept")
}

func TestCacheIsBounded(t *testing.T) {
	rt := open(t)
	for k := range mostKept + 5 {
		out, err := double(rt, nil, "").Run(t.Context(), make([]float32, k+1))
		require.NoError(t, err)
		Release(out...)
	}
	require.Equal(t, Stats{Kept: mostKept, Compiled: mostKept + 5}, Stats{StatsOf(rt).Kept, StatsOf(rt).Compiled, 0})
	out, err := double(rt, nil, "").Run(t.Context(), make([]float32, mostKept+5))
	require.NoError(t, err)
	require.Equal(t, mostKept+5, StatsOf(rt).Compiled, "the last is still there")
	Release(out...)
}

func TestGoroutinesTakeTurns(t *testing.T) {
	rt, m := open(t), &fake{}
	var group sync.WaitGroup
	for k := range 16 {
		group.Go(func() {
			out, err := double(rt, m, "").Run(t.Context(), float32(k))
			if assert.NoError(t, err) {
				assert.Equal(t, float32(2*k), tensors.ToScalar[float32](out[0]))
			}
			if k%4 == 0 {
				Forget(rt, m)
			}
		})
	}
	group.Wait()
}

func TestObserved(t *testing.T) {
	var events []Event
	ctx := Observed(t.Context(), func(e Event) { events = append(events, e) })
	p := double(open(t), nil, "")
	for range 2 {
		_, err := p.Run(ctx, float32(1))
		require.NoError(t, err)
	}
	require.Equal(t, []Event{{"double", true, nil}, {"double", false, nil}, {"double", false, nil}}, events)
}

func TestClosedRuntime(t *testing.T) {
	rt := open(t)
	p := double(rt, nil, "")
	_, err := p.Run(t.Context(), float32(1))
	require.NoError(t, err)
	require.NoError(t, rt.Close())
	_, err = p.Run(t.Context(), float32(1))
	require.ErrorIs(t, err, backends.ErrClosed)
}

func TestNothingRunsOnceTheContextHasEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := New(open(t), Key{Name: "draw"}, func([]*Node) []*Node { panic("built") })
	_, err := p.Run(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

func TestRelease(t *testing.T) {
	x := tensors.FromScalar(float32(1))
	Release(x, nil, x)
	require.False(t, x.Ok())
}

// TestBegin: what Begin compiles is there for Run, which waits for it; its errors are Run's.
func TestBegin(t *testing.T) {
	rt := open(t)
	p := New(rt, Key{Name: "begun"}, func(in []*Node) []*Node { return []*Node{AddScalar(in[0], 1)} })
	wait := p.Begin(float32(1))
	out, err := p.Run(t.Context(), float32(2))
	require.NoError(t, err)
	require.Equal(t, float32(3), tensors.ToScalar[float32](out[0]))
	wait()
	require.Equal(t, 1, StatsOf(rt).Compiled)

	bad := New(rt, Key{Name: "bad"}, func([]*Node) []*Node { panic("a cause") })
	bad.Begin(float32(1))()
	_, err = bad.Run(t.Context(), float32(1))
	require.EqualError(t, err, "bad: a cause")
}
