package verifier_test

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/verifier"
)

// rewritten are the models whose files versions of transformers write, the older one those that it knows.
var rewritten = map[string][]string{
	"transformers_4.57": {"gemma3", "idefics2", "llava", "pixtral", "qwen2_5_vl", "qwen3_vl", "smolvlm2"},
	"transformers_5.24": {"gemma3", "idefics2", "llava", "mistral3", "pixtral", "qwen2_5_vl", "qwen3_5", "qwen3_vl", "smolvlm2"},
}

// fixtures are the project's own, by name.
func fixtures(t *testing.T) map[string]*golden.Fixture {
	t.Helper()
	names, all := rewritten["transformers_5.24"], map[string]*golden.Fixture{}
	for _, f := range golden.Fixtures(t, golden.Verifier) {
		name := filepath.Base(f.Folder)
		if all[name] == nil && slices.Contains(names, name) {
			all[name] = f
		}
	}
	require.Len(t, all, len(names))
	return all
}

// write puts files into a folder.
func write(t *testing.T, files fs.FS) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "model")
	require.NoError(t, os.CopyFS(folder, files))
	return folder
}

// opens opens a folder and closes the verifier.
func opens(t *testing.T, folder string, o verifier.Options) error {
	t.Helper()
	v, err := verifier.Open(t.Context(), golden.Plain(t), folder, o)
	if err == nil {
		err = v.Close()
	}
	return err
}

// TestChanged opens folders with the stamps and the nulls that people's files have.
func TestChanged(t *testing.T) {
	for name, base := range map[string]string{
		"qwen_unsloth": "qwen2_5_vl", "qwen_unsloth_version": "qwen2_5_vl", "qwen_fast_processor": "qwen2_5_vl", "gemma_unsloth": "gemma3",
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, opens(t, write(t, fixtures(t)[base].Changed(t, "model", name)), verifier.Options{}))
		})
	}
}

// TestRewritten opens the folders as versions of transformers write them anew, with
// all their defaults.
func TestRewritten(t *testing.T) {
	all := fixtures(t)
	for writer, bases := range rewritten {
		for _, base := range bases {
			f := all[base]
			t.Run(base+" "+writer, func(t *testing.T) {
				require.NoError(t, opens(t, write(t, f.Changed(t, "model", "rewritten/"+writer+"/"+base)), verifier.Options{}))
			})
		}
	}
}

// TestIgnore: in every JSON file of every model, and at every place of it, what is
// unknown is named and can be passed over, and what is null or a stamp is no matter.
func TestIgnore(t *testing.T) {
	for base, f := range fixtures(t) {
		files := f.Model(t, "model")
		for _, name := range slices.Sorted(maps.Keys(files)) {
			if !slices.Contains([]string{"config.json", "preprocessor_config.json", "processor_config.json"}, name) {
				continue
			}
			places := []string{"{", `"vision_config": {`, `"text_config": {`, `"perceiver_config": {`, `"image_processor": {`}
			for _, place := range places {
				if !strings.Contains(string(files[name].Data), place) {
					continue
				}
				t.Run(base+" "+name+" "+place, func(t *testing.T) {
					changed := maps.Clone(files)
					more := place + `"surprise": {"a": 1}, "nothing": null, "unsloth_version": "2025.6.2", "_commit_hash": "x", "use_qk_norm": false,`
					changed[name] = &fstest.MapFile{Data: bytes.Replace(files[name].Data, []byte(place), []byte(more), 1)}
					folder := write(t, changed)
					err := opens(t, folder, verifier.Options{})
					require.ErrorContains(t, err, name)
					require.ErrorContains(t, err, `unknown field "surprise"`)
					require.ErrorContains(t, err, "Ignore")
					require.NoError(t, opens(t, folder, verifier.Options{Ignore: []string{"surprise"}}))
				})
			}
		}
	}
}

// TestFolders: what is no folder that can be read is refused in words that say what
// it is.
func TestFolders(t *testing.T) {
	files := fixtures(t)["qwen2_5_vl"].Model(t, "model")
	x := &fstest.MapFile{Data: []byte("x")}
	pixels := func(text string) fs.FS {
		changed := maps.Clone(files)
		changed["preprocessor_config.json"] = &fstest.MapFile{Data: []byte(text)}
		delete(changed, "processor_config.json")
		return changed
	}
	for name, test := range map[string]struct {
		files fs.FS
		want  error
		words []string
	}{
		"Mistral":    {fstest.MapFS{"params.json": x, "consolidated.safetensors": x, "tekken.json": x}, fs.ErrNotExist, []string{"config.json", "Mistral's own layout", "transformers"}},
		"pipeline":   {fstest.MapFS{"model_index.json": x}, fs.ErrNotExist, []string{"generator.Open"}},
		"GGUF":       {fstest.MapFS{"Qwen2.5-VL-7B-Q4_K_M.gguf": x}, fs.ErrNotExist, []string{"GGUF"}},
		"GGUF, too":  {fstest.MapFS{"config.json": files["config.json"], "Qwen2.5-VL-7B-Q4_K_M.gguf": x}, fs.ErrNotExist, []string{"preprocessor_config.json", "GGUF"}},
		"pickle":     {fstest.MapFS{"pytorch_model.bin": x}, fs.ErrNotExist, []string{"pickle"}},
		"adapter":    {fstest.MapFS{"adapter_config.json": x, "adapter_model.safetensors": x}, fs.ErrNotExist, []string{"adapter"}},
		"no classes": {fstest.MapFS{"config.json": {Data: []byte(`{"model_type": "qwen2_5_vl"}`)}}, verifier.ErrUnsupported, []string{"architectures", "qwen2_5_vl"}},
		"nothing":    {fstest.MapFS{"config.json": {Data: []byte(`{}`)}}, verifier.ErrUnsupported, []string{"model_type is missing"}},
		"pixels":     {pixels(`{"min_pixels": 6272, "max_pixels": 3136}`), hf.ErrConfig, []string{"min_pixels is 6272", "max_pixels"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := opens(t, write(t, test.files), verifier.Options{})
			require.ErrorIs(t, err, test.want)
			for _, words := range test.words {
				require.ErrorContains(t, err, words)
			}
		})
	}
	require.ErrorIs(t, opens(t, "", verifier.Options{}), fs.ErrInvalid)
	folder := write(t, fstest.MapFS{"model.gguf": x, "config.json": x})
	require.ErrorContains(t, opens(t, filepath.Join(folder, "model.gguf"), verifier.Options{}), "GGUF")
	require.ErrorContains(t, opens(t, filepath.Join(folder, "config.json"), verifier.Options{}), "open the folder that it is in")
}

// TestVariant opens weights under the name of a variant.
func TestVariant(t *testing.T) {
	files := fixtures(t)["gemma3"].Model(t, "model")
	plain, variant := "model.safetensors", "model.fp16.safetensors"
	if files[plain] == nil {
		plain, variant = "model.safetensors.index.json", "model.safetensors.index.fp16.json"
	}
	require.NotNil(t, files[plain])
	files[variant] = files[plain]
	files[plain] = &fstest.MapFile{Data: []byte("damaged")}
	require.NoError(t, opens(t, write(t, files), verifier.Options{Variant: "fp16"}))
	require.Error(t, opens(t, write(t, files), verifier.Options{}))
	requireOption(t, opens(t, write(t, files), verifier.Options{Variant: "a/b"}), "Variant")
	delete(files, plain)
	require.NoError(t, opens(t, write(t, files), verifier.Options{}))
}
