package vlm_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
)

// TestTextConfig reads a language model that is named, or not, or not there at all.
func TestTextConfig(t *testing.T) {
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	for _, text := range []json.RawMessage{nil, raw("null"), raw("{}"), raw(`{"model_type": "mistral"}`)} {
		c, err := vlm.TextConfig(text, raw("true"), "mistral", "mistral")
		require.NoError(t, err)
		require.Equal(t, 14336, c.Intermediate)
		require.True(t, c.TiedHead)
	}
	c, err := vlm.TextConfig(raw(`{"model_type": "llama"}`), nil, "mistral")
	require.NoError(t, err)
	require.Equal(t, 11008, c.Intermediate)
	for text, names := range map[string]string{
		`{"model_type": "llama"}`: "model_type is llama", `{"model_type": 1}`: "model_type", `{"tail": 1}`: "tail", `[]`: "text_config",
	} {
		_, err := vlm.TextConfig(raw(text), nil, "mistral", "mistral")
		require.ErrorIs(t, err, hf.ErrConfig)
		require.ErrorContains(t, err, "text_config: ")
		require.ErrorContains(t, err, names)
	}
	_, err = vlm.TextConfig(nil, nil, "")
	require.ErrorContains(t, err, "model_type")
}
