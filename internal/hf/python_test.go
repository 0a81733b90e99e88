package hf

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReadConfigOfPython(t *testing.T) {
	const text = `{"limits": [-Infinity, 1, Infinity, NaN], "text": "NaN \"Infinity\" \\", "more": NaN}`
	var c struct {
		Limits []*float64
		Text   string
		More   any
	}
	require.NoError(t, ReadConfig(fstest.MapFS{"c.json": {Data: []byte(text)}}, "c.json", &c))
	assert.Equal(t, []*float64{nil, new(1.), nil, nil}, c.Limits)
	assert.Equal(t, `NaN "Infinity" \`, c.Text)
	assert.Nil(t, c.More)
	assert.Equal(t, `"NaN`, string(withoutPython([]byte(`"NaN`))))
	assert.Equal(t, `null"\`, string(withoutPython([]byte(`NaN"\`))))
}
