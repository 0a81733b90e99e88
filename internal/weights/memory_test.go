package weights

import (
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

// TestSketch: of a tensor the shape and dtype are kept, and what is wrong with the file is found.
func TestSketch(t *testing.T) {
	rt, err := backends.Sketch(t.Context(), backends.Options{Backend: "xla:cuda"})
	require.NoError(t, err)
	defer rt.Close()
	fsys := checkpoint(t, safetensors.Tensor{Name: "a.weight", DType: safetensors.BF16, Shape: []int{2, 3}, Data: make([]byte, 12)},
		safetensors.FromFloat32s("a.bias", []float32{1, 2}, 2))
	var weight, again *model.Variable
	require.NoError(t, LoadTo(rt, fsys, "m", "/g", nil, func(c Cursor) {
		weight, again = c.Variable("a.weight", 2, 3), c.Variable("a.weight", 2, 3)
		c.Variable("a.bias", 2)
	}))
	require.Same(t, weight, again)
	require.Equal(t, shapes.Make(dtypes.BFloat16, 2, 3), weight.Shape())
	require.False(t, weight.HasValue())
	require.False(t, weight.Trainable)

	require.ErrorIs(t, LoadTo(rt, fsys, "m", "/h", nil, func(c Cursor) { c.Variable("a.weight", 3, 2) }), ErrShape)
	require.ErrorIs(t, LoadTo(rt, fsys, "m", "/i", nil, func(c Cursor) { c.Variable("a.weight", 2, 3) }), ErrSurplus)
}

// TestMemory: what cannot fit is refused before it is read.
func TestMemory(t *testing.T) {
	rt, err := backends.Open(t.Context(), backends.Options{Backend: "go", Memory: 1})
	require.NoError(t, err)
	defer rt.Close()
	rt.Store.VariableWithShape("/other", shapes.Make(dtypes.Int8, 1), nil)
	large := &Checkpoint{file: huge{}, runtime: rt}
	err = large.fits()
	require.ErrorIs(t, err, backends.ErrMemory)
	require.ErrorContains(t, err, "huge.safetensors: not enough memory: 34 GiB, and 0 GiB are free")
	large.runtime = nil
	require.NoError(t, large.fits())
}

// huge is a file of two tensors of 17 GiB.
type huge struct{ file }

func (huge) Name() string { return "huge.safetensors" }

func (huge) Tensors() []safetensors.Info {
	return []safetensors.Info{{Name: "a", Begin: 0, End: 17 << 30}, {Name: "b", Begin: 17 << 30, End: 34 << 30}}
}
