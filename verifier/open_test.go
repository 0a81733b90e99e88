package verifier_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/verifier"
	"github.com/dualprocess/dualprocess-go/verifier/gemma3"
	"github.com/dualprocess/dualprocess-go/verifier/idefics2"
	"github.com/dualprocess/dualprocess-go/verifier/llava"
	"github.com/dualprocess/dualprocess-go/verifier/mistral3"
	"github.com/dualprocess/dualprocess-go/verifier/pixtral"
	"github.com/dualprocess/dualprocess-go/verifier/pocket"
	"github.com/dualprocess/dualprocess-go/verifier/qwen25vl"
	"github.com/dualprocess/dualprocess-go/verifier/qwen35"
	"github.com/dualprocess/dualprocess-go/verifier/qwen3vl"
	"github.com/dualprocess/dualprocess-go/verifier/smolvlm2"
)

// pocketFolder holds the pocket verifier.
const pocketFolder = "pocket/weights"

// TestGoldenOpen opens every fixture by its configuration, and fails for fixtures
// of models that no folder of this package compares.
func TestGoldenOpen(t *testing.T) {
	compared := []string{"qwen2_5_vl", "qwen3_vl", "qwen3_5", "idefics2", "llava", "gemma3", "pixtral", "mistral3", "smolvlm2"}
	rt := golden.Plain(t)
	for _, f := range golden.Fixtures(t, golden.Verifier) {
		t.Run(f.Name, func(t *testing.T) {
			var about struct{ Name, Model, Processing string }
			f.Decode(t, &about)
			require.Contains(t, compared, about.Name, "nobody compares this model")
			folder := f.Path(about.Model)
			paper := about.Processing != "official" // of the paper's models
			_, err := verifier.Open(t.Context(), rt, folder, verifier.Options{Paper: paper, Checkpoint: backends.CheckpointOn})
			require.NoError(t, err)
			if !paper {
				_, err = verifier.Open(t.Context(), rt, folder, verifier.Options{Paper: true})
				requireOption(t, err, "Paper")
			}
			_, err = verifier.Open(t.Context(), rt, folder, verifier.Options{Split: true})
			if about.Name == "idefics2" || about.Name == "smolvlm2" {
				require.NoError(t, err)
			} else {
				requireOption(t, err, "Split")
			}
			_, err = verifier.Open(t.Context(), rt, folder, verifier.Options{Split: true, Paper: true})
			if paper {
				requireOption(t, err, "Split")
			} else {
				requireOption(t, err, "Paper")
			}
			_, err = verifier.Open(t.Context(), rt, folder, verifier.Options{Checkpoint: 7})
			requireOption(t, err, "Checkpoint")
		})
	}
}

func TestOpenPocket(t *testing.T) {
	rt := golden.Plain(t)
	for field, o := range map[string]verifier.Options{
		"Paper": {Paper: true}, "Split": {Split: true}, "Checkpoint": {Checkpoint: backends.CheckpointOff},
	} {
		_, err := verifier.Open(t.Context(), rt, pocketFolder, o)
		requireOption(t, err, field)
	}
	v, err := verifier.Open(t.Context(), rt, pocketFolder, verifier.Options{})
	require.NoError(t, err)
	require.IsType(t, &pocket.Verifier{}, v)
}

// requireOption wants the error about a field of the options.
func requireOption(t *testing.T, err error, field string) {
	t.Helper()
	require.ErrorIs(t, err, verifier.ErrOptions)
	require.ErrorContains(t, err, field)
}

func TestOpenErrors(t *testing.T) {
	for config, want := range map[string]error{
		`{"architectures": ["LlamaForCausalLM"]}`:                                                         verifier.ErrUnsupported,
		`{"architectures": ["LlavaForConditionalGeneration"], "vision_config": {"model_type": "siglip"}}`: verifier.ErrUnsupported,
		`{"architectures": ["LlavaForConditionalGeneration"]}`:                                            hf.ErrConfig,
		`{"model_type": "llava"}`:                                                                         verifier.ErrUnsupported,
		`{"architectures": ["LlavaForConditionalGeneration"], "vision_config": {"model_type": "clip_vision_model", "hidden_size": 0}}`: hf.ErrConfig,
	} {
		require.True(t, json.Valid([]byte(config)))
		_, err := verifier.Open(t.Context(), golden.Plain(t), folderWith(t, config), verifier.Options{})
		assert.ErrorIs(t, err, want, config)
		assert.ErrorContains(t, err, "config.json")
	}
}

// folderWith has a config.json alone.
func folderWith(t *testing.T, config string) string {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "config.json"), []byte(config), 0o600))
	return folder
}

// opening opens a folder, and says whether what came with an error is nil. A nil
// pointer in an interface is not.
type opening func(ctx context.Context, rt *backends.Runtime, folder string) (isNil bool, err error)

func result[V comparable](v V, err error) (bool, error) {
	var none V
	return v == none, err
}

// openings are all ways to open a verifier of this module.
func openings() map[string]opening {
	return map[string]opening{
		"verifier.Open": func(ctx context.Context, rt *backends.Runtime, folder string) (bool, error) {
			return result(verifier.Open(ctx, rt, folder, verifier.Options{}))
		},
		"gemma3.Open": func(ctx context.Context, rt *backends.Runtime, folder string) (bool, error) {
			return result(gemma3.Open(ctx, rt, folder, gemma3.Options{}))
		},
		"idefics2.Open": func(ctx context.Context, rt *backends.Runtime, folder string) (bool, error) {
			return result(idefics2.Open(ctx, rt, folder, idefics2.Options{}))
		},
		"llava.Open": func(ctx context.Context, rt *backends.Runtime, folder string) (bool, error) {
			return result(llava.Open(ctx, rt, folder, llava.Options{}))
		},
		"mistral3.Open": func(ctx context.Context, rt *backends.Runtime, folder string) (bool, error) {
			return result(mistral3.Open(ctx, rt, folder, mistral3.Options{}))
		},
		"pixtral.Open": func(ctx context.Context, rt *backends.Runtime, folder string) (bool, error) {
			return result(pixtral.Open(ctx, rt, folder, pixtral.Options{}))
		},
		"qwen25vl.Open": func(ctx context.Context, rt *backends.Runtime, folder string) (bool, error) {
			return result(qwen25vl.Open(ctx, rt, folder, qwen25vl.Options{}))
		},
		"qwen3vl.Open": func(ctx context.Context, rt *backends.Runtime, folder string) (bool, error) {
			return result(qwen3vl.Open(ctx, rt, folder, qwen3vl.Options{}))
		},
		"smolvlm2.Open": func(ctx context.Context, rt *backends.Runtime, folder string) (bool, error) {
			return result(smolvlm2.Open(ctx, rt, folder, smolvlm2.Options{}))
		},
		"qwen35.Open": func(ctx context.Context, rt *backends.Runtime, folder string) (bool, error) {
			return result(qwen35.Open(ctx, rt, folder, qwen35.Options{}))
		},
		"pocket.OpenFS": func(ctx context.Context, rt *backends.Runtime, folder string) (bool, error) {
			return result(pocket.OpenFS(ctx, rt, os.DirFS(folder), pocket.Options{}))
		},
	}
}

// TestOpenNil: with an error comes a true nil, whatever is wrong, and nothing panics.
func TestOpenNil(t *testing.T) {
	rt, ended := golden.Plain(t), func() context.Context {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		return ctx
	}()
	sound := func(t *testing.T) string { return pocketFolder }
	for what, test := range map[string]struct {
		ctx    context.Context
		rt     *backends.Runtime
		folder func(t *testing.T) string
		want   error // nil for any
		names  string
	}{
		"nil context":   {nil, rt, sound, dualprocess.ErrTask, "Context"},
		"ended context": {ended, rt, sound, context.Canceled, ""},
		"nil runtime":   {t.Context(), nil, sound, dualprocess.ErrTask, "Runtime"},
		"no runtime":    {t.Context(), &backends.Runtime{}, sound, dualprocess.ErrTask, "Runtime"},
		"no folder":     {t.Context(), rt, func(t *testing.T) string { return filepath.Join(t.TempDir(), "none") }, os.ErrNotExist, "config.json"},
		"no model":      {t.Context(), rt, func(t *testing.T) string { return folderWith(t, `{"architectures": ["none"]}`) }, nil, "config.json"},
	} {
		for name, open := range openings() {
			t.Run(name+" "+what, func(t *testing.T) {
				before := rt.Store.NumVariables()
				isNil, err := open(test.ctx, test.rt, test.folder(t))
				require.ErrorContains(t, err, test.names)
				if test.want != nil {
					require.ErrorIs(t, err, test.want)
				}
				require.True(t, isNil, "something came with %v", err)
				require.Equal(t, before, rt.Store.NumVariables(), "nothing stays behind")
			})
		}
	}
	// What is embedded is sound: only the arguments can be wrong.
	for _, ctx := range []context.Context{nil, ended} {
		isNil, err := result(pocket.Open(ctx, rt, pocket.Options{}))
		require.Error(t, err)
		require.True(t, isNil)
	}
	isNil, err := result(llava.OpenFS(t.Context(), rt, nil, llava.Options{}))
	require.ErrorIs(t, err, dualprocess.ErrTask)
	require.True(t, isNil)
}

// TestRuntimeOfNoVerifier: a verifier that Open did not make is no reason to panic
// where a task is checked.
func TestRuntimeOfNoVerifier(t *testing.T) {
	for _, v := range []dualprocess.Runtimer{
		&gemma3.Verifier{}, &idefics2.Verifier{}, &llava.Verifier{}, &pixtral.Verifier{}, &pocket.Verifier{}, &qwen25vl.Verifier{},
		&qwen3vl.Verifier{}, &qwen35.Verifier{}, &mistral3.Verifier{}, &smolvlm2.Verifier{},
	} {
		assert.Nil(t, v.Runtime(), "%T", v)
	}
}
