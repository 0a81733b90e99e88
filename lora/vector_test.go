package lora

import (
	"math"
	"testing"

	"github.com/gomlx/compute/gobackend"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"
)

// TestVector: a vector has the numbers of Params in their order, on the host and in a graph, and gives the adapter back.
func TestVector(t *testing.T) {
	a, err := New(Config{Seed: 3}, twoLayers)
	require.NoError(t, err)
	vector := a.Vector()
	require.Equal(t, []int{a.Size()}, vector.Shape().Dimensions)
	var all []float32
	for _, p := range a.Params() {
		all = append(all, tensors.MustCopyFlatData[float32](p)...)
	}
	require.Equal(t, all, tensors.MustCopyFlatData[float32](vector))

	backend, err := gobackend.New("ops_sequential")
	require.NoError(t, err)
	defer backend.Finalize()
	exec, err := NewExec(backend, func(vector *Node) []*Node { return a.Split(vector) })
	require.NoError(t, err)
	parts, err := exec.Call(vector)
	require.NoError(t, err)
	params := a.Params()
	require.Len(t, parts, len(params))
	for k, p := range parts {
		require.True(t, p.Equal(params[k]), k)
	}

	for k := range all {
		all[k]++
	}
	other, err := a.WithVector(tensors.FromFlatDataAndDimensions(all, len(all)))
	require.NoError(t, err)
	require.Equal(t, all, tensors.MustCopyFlatData[float32](other.Vector()))
	same, err := other.WithParams(a.Params())
	require.NoError(t, err)
	require.Equal(t, a, same, "all but the numbers is the same")
}

func TestVectorRefuses(t *testing.T) {
	a, err := New(Config{}, twoLayers)
	require.NoError(t, err)
	numbers := make([]float32, a.Size())
	for name, vector := range map[string]*tensors.Tensor{
		"nil": nil, "short": tensors.FromFlatDataAndDimensions(numbers[1:], len(numbers)-1),
		"a matrix": tensors.FromFlatDataAndDimensions(numbers, 1, len(numbers)), "float64": tensors.FromValue(make([]float64, len(numbers))),
	} {
		_, err := a.WithVector(vector)
		require.ErrorIs(t, err, ErrMismatch, name)
	}
	numbers[len(numbers)-1] = float32(math.NaN())
	_, err = a.WithVector(tensors.FromFlatDataAndDimensions(numbers, len(numbers)))
	require.ErrorIs(t, err, ErrNotFinite)
	require.ErrorContains(t, err, twoLayers[1].Name)

	var none *Adapter
	require.Zero(t, none.Size())
	_, err = none.WithVector(nil)
	require.ErrorIs(t, err, ErrConfig)
}
