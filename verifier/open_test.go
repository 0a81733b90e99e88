package verifier_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/verifier"
)

// TestGoldenOpen opens every fixture by its configuration, and fails for fixtures
// of models that no folder of this package compares.
func TestGoldenOpen(t *testing.T) {
	compared := []string{"qwen2_5_vl", "idefics2", "llava", "gemma3", "pixtral"}
	rt := golden.Plain(t)
	for _, f := range golden.Fixtures(t, golden.Verifier) {
		t.Run(f.Name, func(t *testing.T) {
			var about struct{ Name, Model string }
			f.Decode(t, &about)
			require.Contains(t, compared, about.Name, "nobody compares this model")
			v, err := verifier.Open(t.Context(), rt, f.Path(about.Model))
			require.NoError(t, err)
			require.Implements(t, (*verifier.LanguageModel)(nil), v)
		})
	}
}

func TestOpenErrors(t *testing.T) {
	for config, want := range map[string]error{
		`{"architectures": ["LlamaForCausalLM"]}`:                                                         verifier.ErrUnsupported,
		`{"architectures": ["LlavaForConditionalGeneration"], "vision_config": {"model_type": "siglip"}}`: verifier.ErrUnsupported,
		`{"architectures": ["LlavaForConditionalGeneration"]}`:                                            hf.ErrConfig,
		`{"model_type": "llava"}`:                                                                         hf.ErrConfig,
		`{"architectures": ["LlavaForConditionalGeneration"], "vision_config": {"model_type": "clip_vision_model", "hidden_size": 0}}`: hf.ErrConfig,
	} {
		folder := t.TempDir()
		require.True(t, json.Valid([]byte(config)))
		require.NoError(t, os.WriteFile(filepath.Join(folder, "config.json"), []byte(config), 0o600))
		v, err := verifier.Open(t.Context(), golden.Plain(t), folder)
		assert.ErrorIs(t, err, want, config)
		assert.ErrorContains(t, err, "config.json")
		assert.Nil(t, v)
	}
	_, err := verifier.Open(t.Context(), golden.Plain(t), t.TempDir())
	assert.ErrorIs(t, err, os.ErrNotExist)
}
