package generator

import (
	"bytes"
	"encoding/binary"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gomlx/compute/dtypes/float16"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/generator/flux"
	"github.com/dualprocess/dualprocess-go/generator/sd"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// fixture is the project's own of a name.
func fixture(t *testing.T, name string) *golden.Fixture {
	t.Helper()
	for _, f := range golden.Fixtures(t, golden.Generator) {
		if filepath.Base(f.Folder) == name {
			return f
		}
	}
	require.Fail(t, "no fixture "+name)
	return nil
}

// encoded opens a folder by its model and encodes a prompt with it.
func encoded(t *testing.T, rt *backends.Runtime, files fs.FS) dualprocess.Inputs {
	t.Helper()
	class, err := hf.ReadField[string](files, "model_index.json", "_class_name")
	require.NoError(t, err)
	var g Generator
	if class == flux.Pipeline {
		g, err = flux.OpenFS(t.Context(), rt, files, flux.Options{TextTokens: 16})
	} else {
		g, err = sd.OpenFS(t.Context(), rt, files, sd.Options{})
	}
	require.NoError(t, err)
	in, err := g.Encode(t.Context(), "a red horse")
	require.NoError(t, err)
	require.NoError(t, g.Close())
	return in
}

// TestChangedText: other files of text encoders and tokenizers that mean the same give
// the same.
func TestChangedText(t *testing.T) {
	rt := golden.Plain(t)
	for name, base := range map[string]string{
		"sd_no_pad_token": "sd14", "clip_without_text_model": "sd14", "t5_embed_tokens_only": "flux_schnell",
	} {
		t.Run(name, func(t *testing.T) {
			f := fixture(t, base)
			want, got := encoded(t, rt, f.Model(t, "model")), encoded(t, rt, f.Changed(t, "model", name))
			require.Len(t, got, len(want))
			for i := range want {
				require.True(t, want[i].Equal(got[i]), i)
			}
		})
	}
}

// TestRewritten opens the folders as versions of transformers and diffusers write them
// anew, with all their defaults.
func TestRewritten(t *testing.T) {
	rt := golden.Plain(t)
	for _, writer := range []string{"transformers_4.57", "transformers_5.24", "diffusers_0.42"} {
		for _, base := range []string{"sd14", "flux_schnell", "flux2_klein", "flux2_klein_base", "sana", "sana15", "sana_sprint", "z_image_turbo"} {
			t.Run(base+" "+writer, func(t *testing.T) {
				folder := t.TempDir()
				require.NoError(t, os.CopyFS(folder, fixture(t, base).Changed(t, "model", "rewritten/"+writer+"/"+base)))
				g, err := Open(t.Context(), rt, folder, Options{})
				require.NoError(t, err)
				require.NoError(t, g.Close())
			})
		}
	}
}

// TestNoPadding does without the padding in special_tokens_map.json, too.
func TestNoPadding(t *testing.T) {
	rt, f := golden.Plain(t), fixture(t, "sd14")
	files := f.Changed(t, "model", "sd_no_pad_token")
	delete(files, "tokenizer/special_tokens_map.json")
	want, got := encoded(t, rt, f.Model(t, "model")), encoded(t, rt, files)
	require.True(t, want[0].Equal(got[0]))
}

// TestSchedulers: the noise schedule of any of diffusers' samplers is read, and the log
// says once that sampling is by DDIM.
func TestSchedulers(t *testing.T) {
	for class, name := range map[string]string{
		"EulerDiscreteScheduler": "sd_EulerDiscreteScheduler", "DPMSolverMultistepScheduler": "sd_DPMSolverMultistepScheduler",
		"PNDMScheduler": "rewritten/diffusers_0.42/sd14", "DDIMScheduler": "", "DDPMScheduler": "", "EulerAncestralDiscreteScheduler": "",
		"LMSDiscreteScheduler": "", "DPMSolverSinglestepScheduler": "", "UniPCMultistepScheduler": "", "DEISMultistepScheduler": "",
	} {
		t.Run(class, func(t *testing.T) {
			if name == "" {
				name = "rewritten/diffusers_0.42_" + class + "/sd14"
			}
			var log bytes.Buffer
			rt, err := backends.Open(t.Context(), backends.Options{Backend: "go", Logger: slog.New(slog.NewTextHandler(&log, nil))})
			require.NoError(t, err)
			g, err := sd.OpenFS(t.Context(), rt, fixture(t, "sd14").Changed(t, "model", name), sd.Options{Steps: 5})
			require.NoError(t, err)
			require.Equal(t, 1000, g.Levels())
			said := 1
			if class == "DDIMScheduler" {
				said = 0
			}
			require.Equal(t, said, strings.Count(log.String(), "sampling is by DDIM"), log.String())
			require.Equal(t, said, strings.Count(log.String(), class), log.String())
			require.NoError(t, rt.Close())
		})
	}
}

// TestFolders: what is no folder that can be read is refused in words that say what
// it is, and what to do.
func TestFolders(t *testing.T) {
	rt, model := golden.Plain(t), fixture(t, "sd14").Model(t, "model")
	const unet = "unet/diffusion_pytorch_model"
	without := func(prefix string, more fstest.MapFS) fstest.MapFS {
		files := maps.Clone(model)
		maps.DeleteFunc(files, func(name string, _ *fstest.MapFile) bool { return strings.HasPrefix(name, prefix) })
		maps.Copy(files, more)
		return files
	}
	file := &fstest.MapFile{Data: []byte("x")}
	one := model["vae/diffusion_pytorch_model.safetensors"]
	for name, test := range map[string]struct {
		files fs.FS
		want  error
		words []string
	}{
		"LFS pointer":     {fixture(t, "sd14").Changed(t, "model", "sd_lfs_pointer"), hf.ErrPointer, []string{"Git LFS pointer", "unet/"}},
		"LFS JSON":        {without("x", fstest.MapFS{"unet/config.json": {Data: []byte("version https://git-lfs.github.com/spec/v1\n")}}), hf.ErrPointer, []string{"unet/config.json"}},
		"LFS vocabulary":  {without("x", fstest.MapFS{"tokenizer/vocab.json": {Data: []byte("version https://git-lfs.github.com/spec/v1\n")}}), hf.ErrPointer, []string{"vocab.json"}},
		"pickle":          {without(unet, fstest.MapFS{unet + ".bin": file}), fs.ErrNotExist, []string{"diffusion_pytorch_model.bin", "pickle", "save_pretrained"}},
		"two variants":    {without(unet, fstest.MapFS{unet + ".fp16.safetensors": file, unet + ".ema.safetensors": file}), fs.ErrNotExist, []string{`["ema" "fp16"]`, "Variant"}},
		"one file":        {fstest.MapFS{"v1-5-pruned.safetensors": file}, fs.ErrNotExist, []string{"model_index.json", "v1-5-pruned.safetensors", "from_single_file"}},
		"checkpoint":      {fstest.MapFS{"v1-5-pruned.ckpt": file}, fs.ErrNotExist, []string{"pickle", "from_single_file"}},
		"GGUF":            {fstest.MapFS{"flux1-schnell-Q4_0.gguf": file}, fs.ErrNotExist, []string{"GGUF"}},
		"one model":       {fstest.MapFS{"config.json": file, "model.safetensors": one}, fs.ErrNotExist, []string{"model_index.json", "verifier.Open"}},
		"LFS index":       {without("x", fstest.MapFS{unet + ".safetensors.index.json": {Data: []byte("version https://git-lfs.github.com/spec/v1\n")}}), hf.ErrPointer, []string{"unet/"}},
		"empty":           {fstest.MapFS{}, fs.ErrNotExist, []string{"model_index.json"}},
		"empty cache":     {fstest.MapFS{"snapshots": {Mode: fs.ModeDir}}, fs.ErrNotExist, []string{"no snapshot"}},
		"two snapshots":   {fstest.MapFS{"snapshots/a/x": file, "snapshots/b/x": file}, fs.ErrNotExist, []string{`["a" "b"]`}},
		"hostile refs":    {fstest.MapFS{"refs/main": {Data: []byte("../../etc")}, "snapshots/a/x": file, "snapshots/b/x": file}, fs.ErrNotExist, []string{"refs/main"}},
		"missing tensors": {without("x", fstest.MapFS{"text_encoder/model.safetensors": one}), weights.ErrMissing, []string{"text_model.embeddings.token_embedding.weight", "more"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := sd.OpenFS(t.Context(), rt, test.files, sd.Options{})
			require.ErrorIs(t, err, test.want)
			for _, words := range test.words {
				require.ErrorContains(t, err, words)
			}
		})
	}
}

func TestPaths(t *testing.T) {
	rt := golden.Plain(t)
	file := filepath.Join(t.TempDir(), "flux1-dev.gguf")
	require.NoError(t, os.WriteFile(file, []byte("x"), 0o600))
	for path, words := range map[string]string{"": "empty", file: "GGUF"} {
		_, err := Open(t.Context(), rt, path, Options{})
		require.ErrorIs(t, err, fs.ErrInvalid)
		require.ErrorContains(t, err, words)
		_, err = sd.Open(t.Context(), rt, path, sd.Options{})
		require.ErrorIs(t, err, fs.ErrInvalid)
		require.ErrorContains(t, err, words)
	}
}

// TestCache opens the root of a model in the cache of huggingface_hub, whose files are
// links.
func TestCache(t *testing.T) {
	rt, f := golden.Plain(t), fixture(t, "sd14")
	for name, test := range map[string]struct {
		main  string
		other bool // there is a second snapshot, which is empty
	}{"only": {"", false}, "main": {"5d3f\n", true}, "main that is gone": {"0000", false}} {
		t.Run(name, func(t *testing.T) {
			root := filepath.Join(t.TempDir(), "models--CompVis--stable-diffusion-v1-4")
			require.NoError(t, os.MkdirAll(filepath.Join(root, "snapshots"), 0o700))
			require.NoError(t, os.Symlink(f.Path("model"), filepath.Join(root, "snapshots", "5d3f")))
			if test.other {
				require.NoError(t, os.Mkdir(filepath.Join(root, "snapshots", "aaaa"), 0o700))
			}
			if test.main != "" {
				require.NoError(t, os.Mkdir(filepath.Join(root, "refs"), 0o700))
				require.NoError(t, os.WriteFile(filepath.Join(root, "refs", "main"), []byte(test.main), 0o600))
			}
			g, err := Open(t.Context(), rt, root, Options{})
			require.NoError(t, err)
			require.NoError(t, g.Close())
		})
	}
}

// TestVariant moves files to the names of a variant.
func TestVariant(t *testing.T) {
	rt, model := golden.Plain(t), fixture(t, "sd14").Model(t, "model")
	renamed := func(keep bool) fstest.MapFS {
		files := maps.Clone(model)
		for _, rename := range [][2]string{
			{"unet/diffusion_pytorch_model.safetensors.index.json", "unet/diffusion_pytorch_model.safetensors.index.fp16.json"},
			{"text_encoder/model.safetensors", "text_encoder/model.fp16.safetensors"},
		} {
			files[rename[1]] = files[rename[0]]
			if !keep {
				delete(files, rename[0])
			}
		}
		return files
	}
	damaged := renamed(true)
	damaged["text_encoder/model.safetensors"] = &fstest.MapFile{Data: []byte("damaged")}
	open := func(files fs.FS, variant string) error {
		g, err := sd.OpenFS(t.Context(), rt, files, sd.Options{Variant: variant})
		if err == nil {
			err = g.Close()
		}
		return err
	}
	require.NoError(t, open(renamed(false), ""), "the only variant that is there")
	require.NoError(t, open(renamed(false), "fp16"), "the autoencoder has none")
	require.NoError(t, open(damaged, "fp16"), "beside the plain ones")
	require.Error(t, open(damaged, ""), "the plain ones, beside a variant")
	require.ErrorContains(t, open(model, "fp16"), "Variant is fp16")
	require.ErrorIs(t, open(model, "../x"), ErrOptions)
}

// TestFloat16 opens a variant whose numbers are what its name says.
func TestFloat16(t *testing.T) {
	rt, model := golden.Plain(t), fixture(t, "sd14").Model(t, "model")
	halved := maps.Clone(model)
	for name, file := range model {
		if base, ok := strings.CutSuffix(name, ".safetensors"); ok && !strings.Contains(name, "-of-") {
			delete(halved, name)
			halved[base+".fp16.safetensors"] = &fstest.MapFile{Data: float16s(t, file.Data)}
		}
	}
	want, got := encoded(t, rt, model), encoded(t, rt, halved)
	for i := range want {
		floats := func(in dualprocess.Inputs) []float32 { return tensors.MustCopyFlatData[float32](in[i]) }
		require.NoError(t, golden.Close(floats(got), floats(want), 1e-2))
		require.Error(t, golden.Close(floats(got), floats(want), 1e-6), "numbers of half precision")
	}
}

// float16s is a safetensors file whose tensors of float32 are of float16.
func float16s(t *testing.T, data []byte) []byte {
	t.Helper()
	file, err := safetensors.New("x", bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	var all []safetensors.Tensor
	for _, info := range file.Tensors() {
		raw, err := file.Bytes(info.Name)
		require.NoError(t, err)
		if info.DType == safetensors.F32 {
			values, err := file.Float32s(info.Name)
			require.NoError(t, err)
			info.DType, raw = safetensors.F16, nil
			for _, v := range values {
				raw = binary.LittleEndian.AppendUint16(raw, float16.FromFloat32(v).Bits())
			}
		}
		all = append(all, safetensors.Tensor{Name: info.Name, DType: info.DType, Shape: info.Shape, Data: raw})
	}
	var b bytes.Buffer
	require.NoError(t, safetensors.Write(&b, all, nil))
	return b.Bytes()
}

// TestIgnore passes over a field in every JSON file.
func TestIgnore(t *testing.T) {
	rt := golden.Plain(t)
	for _, base := range []string{"sd14", "flux_schnell", "flux2_klein", "sana"} {
		f := fixture(t, base)
		for _, name := range slices.Sorted(maps.Keys(f.Model(t, "model"))) {
			if !strings.HasSuffix(name, "config.json") || strings.HasPrefix(name, "tokenizer") {
				continue
			}
			folder := t.TempDir()
			require.NoError(t, os.CopyFS(folder, f.Model(t, "model")))
			text, err := os.ReadFile(filepath.Join(folder, name))
			require.NoError(t, err)
			text = bytes.Replace(text, []byte("{"), []byte(`{"surprise": {"a": 1}, "nothing": null, "unsloth_version": "2025.6.2", "use_qk_norm": false,`), 1)
			require.NoError(t, os.WriteFile(filepath.Join(folder, name), text, 0o600))
			_, err = Open(t.Context(), rt, folder, Options{})
			require.ErrorContains(t, err, `unknown field "surprise"`, name)
			require.ErrorContains(t, err, "Ignore", name)
			g, err := Open(t.Context(), rt, folder, Options{Ignore: []string{"surprise"}})
			require.NoError(t, err, name)
			require.NoError(t, g.Close())
		}
	}
}
