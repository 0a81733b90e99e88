package weights

import (
	"testing"

	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

// TestMissing sums up what is missing, and finds the names with another prefix.
func TestMissing(t *testing.T) {
	one := func(name string) safetensors.Tensor { return safetensors.FromFloat32s(name, []float32{1}, 1) }
	load := func(at string, names ...string) error {
		var list []safetensors.Tensor
		for _, name := range names {
			list = append(list, one(name))
		}
		return Load(checkpoint(t, list...), "m", model.NewStore(), "/m", func(string) bool { return true }, func(c Cursor) {
			for _, name := range []string{"a", "b", "c", "d", "e", "f", "g"} {
				c.In(at).Variable(name+".weight", 1)
			}
		})
	}
	for _, test := range []struct {
		err          error
		says, hasNot string
	}{
		{load("", "x"), `missing tensor: 7, ["a.weight" "b.weight" "c.weight" "d.weight" "e.weight"] and 2 more`, "prefix"},
		{load("", "model.a.weight", "model.b.weight"), `the file has 2 of them with the prefix "model."`, "without"},
		{load("text.model", "a.weight", "b.weight", "c.weight"), `the file has 3 of them without the prefix "text.model."`, "with the prefix"},
		{load("", "a.weight", "b.weight", "c.weight", "d.weight", "e.weight", "f.weight"), `missing tensor "g.weight", want [1]`, "more"},
	} {
		require.ErrorIs(t, test.err, ErrMissing)
		assert.ErrorContains(t, test.err, test.says)
		assert.NotContains(t, test.err.Error(), test.hasNot)
	}
}
