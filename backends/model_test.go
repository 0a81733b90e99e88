package backends

import (
	"testing"
	"time"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"
)

// openModel makes a model with one variable.
func openModel(t *testing.T, r *Runtime) (*Model, *model.Variable) {
	m, err := r.NewModel("toy", "/generator")
	require.NoError(t, err)
	defer r.Changing()()
	v, err := r.Store.CreateVariable(m.Root()+"/part/w", tensors.FromValue([]float32{1, 2}))
	require.NoError(t, err)
	return m, v
}

func TestModelsHavePlacesOfTheirOwn(t *testing.T) {
	r, err := Open(t.Context(), Options{Backend: "go"})
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	empty := r.Free()
	first, v := openModel(t, r)
	second, _ := openModel(t, r)
	require.Equal(t, "/generator", first.Root())
	require.Equal(t, "/generator2", second.Root())
	require.Equal(t, int64(16), empty-r.Free())

	value := v.MustValue()
	require.NoError(t, first.Drop("part"))
	require.False(t, value.Ok(), "the numbers are freed at once")
	require.Equal(t, int64(8), empty-r.Free())
	require.NoError(t, second.Close())
	require.Equal(t, empty, r.Free())
	third, err := r.NewModel("toy", "/generator")
	require.NoError(t, err)
	require.Equal(t, "/generator2", third.Root(), "the first is open, although it is empty")
	require.NoError(t, (*Model)(nil).Close())
}

// TestCloseOfAModelWaits for who uses it, and for graphs that run.
func TestCloseOfAModelWaits(t *testing.T) {
	r, err := Open(t.Context(), Options{Backend: "go"})
	require.NoError(t, err)
	m, v := openModel(t, r)
	g := NewGraph(r.Backend, "toy")
	m.In(g)
	m.In(g)
	running, err := UseModels(g)
	require.NoError(t, err)
	var order []int
	m.OnClose(func() { order = append(order, 1) })
	m.OnClose(func() { order = append(order, 2) })
	closed := make(chan error)
	go func() { closed <- m.Close() }()
	require.Eventually(t, func() bool {
		done, err := m.Use()
		if err == nil {
			done()
		}
		return err != nil
	}, time.Minute, time.Millisecond)
	require.True(t, v.HasValue())
	running()
	require.NoError(t, <-closed)
	require.NoError(t, m.Close())
	require.Equal(t, []int{2, 1}, order)
	require.False(t, v.HasValue())

	_, err = m.Use()
	require.ErrorIs(t, err, ErrClosed)
	_, err = UseModels(g)
	require.ErrorIs(t, err, ErrClosed)
	require.EqualError(t, err, "toy: the model is closed")
	require.EqualError(t, Try(func() { m.In(g) }), "toy: the model is closed")

	last, _ := openModel(t, r)
	require.NoError(t, r.Close())
	_, err = last.Use()
	require.ErrorIs(t, err, ErrClosed)
	require.NoError(t, last.Close(), "the runtime has freed it")
	_, err = r.NewModel("toy", "/generator")
	require.ErrorIs(t, err, ErrClosed)
}
