package hf

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPretrained(t *testing.T) {
	type config struct {
		Size int  `json:"size"`
		Tied bool `json:"tie_word_embeddings"` // goes before the one of Pretrained
		Pretrained
	}
	read := func(json string) (c config, err error) {
		err = ReadConfig(fstest.MapFS{"c.json": {Data: []byte(json)}}, "c.json", &c)
		return c, err
	}
	c, err := read(`{"size": 3, "tie_word_embeddings": true, "top_k": 50, "pruned_heads": {}, "is_decoder": false, "quantization_config": null}`)
	require.NoError(t, err)
	require.NoError(t, c.Check())
	assert.Equal(t, 3, c.Size)
	assert.True(t, c.Tied)
	_, err = read(`{"size": 3, "sizes": 4}`)
	require.ErrorContains(t, err, "sizes")
	for _, field := range []string{`"add_cross_attention": true`, `"is_encoder_decoder": true`, `"is_decoder": true`,
		`"pruned_heads": {"1": [0]}`, `"quantization_config": {"bits": 4}`} {
		c, err := read("{" + field + "}")
		require.NoError(t, err)
		require.ErrorIs(t, c.Check(), ErrConfig, field)
	}
}
