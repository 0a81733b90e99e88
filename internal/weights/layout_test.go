package weights

import (
	"testing"

	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

func TestLayout(t *testing.T) {
	fsys := checkpoint(t, safetensors.FromFloat32s("model.tower.norm.weight", []float32{1}, 1))
	require.NoError(t, Load(fsys, "m", model.NewStore(), "/v", nil, func(c Cursor) {
		at := c.Layout("norm.weight", "tower", "model.tower")
		assert.Equal(t, "model.tower", at.Path())
		at.Variable("norm.weight", 1)
		assert.Equal(t, "head", c.Layout("weight", "head", "model.head").Path())
	}))
}

// anything has no names of its own.
type anything struct{}

func (anything) Variable(string, ...int) (*model.Variable, error) { return nil, nil }

func TestLayoutOfNewParameters(t *testing.T) {
	assert.Equal(t, "old.tower", NewCursor(anything{}).In("old").Layout("weight", "tower", "model.tower").Path())
}
