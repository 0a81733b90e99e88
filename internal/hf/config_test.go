package hf

import (
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
