package hf

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReadConfig(t *testing.T) {
	type config struct {
		Size int `json:"size"`
	}
	for name, test := range map[string]struct{ json, fails string }{
		"good":          {`{"size": 3}`, ""},
		"unknown field": {`{"size": 3, "shape": 4}`, `"shape"`},
		"wrong type":    {`{"size": "3"}`, "size"},
		"two objects":   {`{"size": 3}{}`, "follows"},
		"no JSON":       {`size: 3`, "invalid character"},
		"truncated":     {`{"size": `, "EOF"},
		"too long":      {string(make([]byte, maxConfig+1)), "larger"},
	} {
		t.Run(name, func(t *testing.T) {
			var c config
			err := ReadConfig(fstest.MapFS{"c.json": {Data: []byte(test.json)}}, "c.json", &c)
			if test.fails == "" {
				require.NoError(t, err)
				assert.Equal(t, 3, c.Size)
				return
			}
			assert.ErrorContains(t, err, test.fails)
			assert.ErrorContains(t, err, "c.json")
		})
	}
}

func TestReadField(t *testing.T) {
	fsys := fstest.MapFS{
		"c.json":    {Data: []byte(`{"_class_name": "FluxPipeline", "architectures": ["A", "B"], "layers": {"x": 1}}`)},
		"list.json": {Data: []byte(`["_class_name"]`)},
	}
	class, err := ReadField[string](fsys, "c.json", "_class_name")
	require.NoError(t, err)
	assert.Equal(t, "FluxPipeline", class)
	architectures, err := ReadField[[]string](fsys, "c.json", "architectures")
	require.NoError(t, err)
	assert.Equal(t, []string{"A", "B"}, architectures)

	_, err = ReadField[string](fsys, "c.json", "_class")
	assert.ErrorIs(t, err, ErrConfig)
	assert.ErrorContains(t, err, "c.json")
	assert.ErrorContains(t, err, "_class")
	_, err = ReadField[string](fsys, "c.json", "layers")
	assert.ErrorContains(t, err, "c.json: layers")
	_, err = ReadField[string](fsys, "list.json", "_class_name")
	assert.ErrorContains(t, err, "list.json")
	_, err = ReadField[string](fsys, "d.json", "_class_name")
	assert.ErrorIs(t, err, fs.ErrNotExist)
}
