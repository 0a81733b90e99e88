package weights

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"bytes"

	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

// checkpoint is a folder "m" with a checkpoint of the given tensors.
func checkpoint(t testing.TB, list ...safetensors.Tensor) fs.FS {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, safetensors.Write(&b, list, nil))
	return fstest.MapFS{"m/model.safetensors": {Data: b.Bytes()}}
}

func TestLoad(t *testing.T) {
	fsys := checkpoint(t,
		safetensors.FromFloat32s("blocks.0.to_q.weight", []float32{1, 2, 3, 4, 5, 6}, 3, 2),
		safetensors.FromFloat32s("blocks.0.to_q.bias", []float32{7, 8, 9}, 3),
		safetensors.FromFloat32s("position_ids", []float32{0}, 1))
	store := model.NewStore()
	known := func(name string) bool { return name == "position_ids" }
	var weight, tied *model.Variable
	require.NoError(t, Load(fsys, "m", store, "/generator", known, func(c Cursor) {
		at := c.In("blocks", 0).In("to_q")
		assert.Equal(t, "blocks.0.to_q", at.Path())
		weight = at.Variable("weight", 3, 2)
		tied = at.Variable("weight", 3, 2)
		at.Variable("bias", 3)
	}))
	assert.Same(t, weight, tied)
	assert.False(t, weight.Trainable)
	value, err := weight.Value()
	require.NoError(t, err)
	assert.Equal(t, [][]float32{{1, 2}, {3, 4}, {5, 6}}, value.Value())
	assert.Equal(t, "/generator2", Root(store, "/generator"))
	assert.Equal(t, "/verifier", Root(store, "/verifier"))
}

func TestLoadNamesWhatIsWrong(t *testing.T) {
	fsys := checkpoint(t,
		safetensors.FromFloat32s("a", []float32{1, 2}, 2),
		safetensors.FromFloat32s("extra", []float32{1}, 1))
	err := Load(fsys, "m", model.NewStore(), "/g", nil, func(c Cursor) {
		c.Variable("a", 3)
		c.Variable("b", 4)
	})
	require.ErrorIs(t, err, ErrMissing)
	require.ErrorIs(t, err, ErrShape)
	require.ErrorIs(t, err, ErrSurplus)
	for _, part := range []string{`"b"`, `"a" is [2], want [3]`, `"extra"`, "m/model.safetensors"} {
		assert.ErrorContains(t, err, part)
	}
	_, err = Open(fsys, "elsewhere", model.NewStore(), "/g")
	assert.ErrorIs(t, err, fs.ErrNotExist)
}
