package lora

import (
	"bytes"
	"cmp"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

// scale is the factor of B·A at weight 1.
func scale(p part) float64 { return p.alpha / float64(p.rank) }

// TestLoadFixtures reads files that diffusers and PEFT wrote. want is the scale
// that PEFT reports for the file.
func TestLoadFixtures(t *testing.T) {
	for _, test := range []struct {
		file   string
		prefix string
		want   float64
		layer  Layer // one of them
	}{
		{"flux_plain.safetensors", "transformer", 1, Layer{Name: "transformer_blocks.0.ff.net.2", In: 192, Out: 48}},
		{"flux_with_metadata.safetensors", "transformer", 2, Layer{Name: "single_transformer_blocks.0.attn.to_q", In: 48, Out: 48}},
		{"peft/adapter_model.safetensors", "transformer", 2, Layer{Name: "single_transformer_blocks.0.attn.to_q", In: 48, Out: 48}},
		{"sd_old_keys.safetensors", "unet", 1, Layer{Name: "mid_block.attentions.0.transformer_blocks.0.attn2.to_k", In: 24, Out: 32}},
		{"sd_with_metadata.safetensors", "unet", 2, Layer{Name: "mid_block.attentions.0.transformer_blocks.0.attn2.to_k", In: 24, Out: 32}},
		{"sana_with_metadata.safetensors", "transformer", 2, Layer{Name: "transformer_blocks.0.ff.conv_depth", In: 160, Out: 160, Kernel: [2]int{3, 3}}},
	} {
		t.Run(test.file, func(t *testing.T) {
			a, err := Load(filepath.Join("testdata", test.file), nil)
			require.NoError(t, err)
			require.Contains(t, a.Layers(), test.layer)
			require.Equal(t, 1.0, a.Weight())
			require.Equal(t, test.prefix, a.Prefix())
			for _, p := range a.parts {
				require.Equal(t, 4, p.rank)
				require.Equal(t, test.want, scale(p))
			}
			again, err := Load(filepath.Join("testdata", test.file), a.Layers())
			require.NoError(t, err)
			require.Equal(t, a, again, "knowing the layers changes nothing")
		})
	}
	plain, err := Load("testdata/flux_plain.safetensors", nil)
	require.NoError(t, err)
	f, err := safetensors.OpenFile("testdata/flux_plain.safetensors")
	require.NoError(t, err)
	defer f.Close()
	want, err := f.Float32s("transformer.single_transformer_blocks.0.attn.to_k.lora_B.weight")
	require.NoError(t, err)
	require.Equal(t, want, plain.parts[0].b)
}

// TestGoldenFiles reads the adapter files of all fixture folders that the
// environment names and compares their scale with what PEFT made of them.
func TestGoldenFiles(t *testing.T) {
	for _, root := range filepath.SplitList(os.Getenv("DUALPROCESS_FIXTURES")) {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Base(path) != "pytorch_lora_weights.safetensors" {
				return err
			}
			kind, folder := filepath.Base(filepath.Dir(path)), filepath.Join(filepath.Dir(path), "..", "..")
			t.Run(filepath.Base(folder)+"/"+kind, func(t *testing.T) {
				golden, err := safetensors.OpenFile(filepath.Join(folder, "golden.safetensors"))
				require.NoError(t, err)
				defer golden.Close()
				want, err := golden.Float32s("lora." + kind + ".peft_scaling")
				require.NoError(t, err)
				a, err := Load(path, nil)
				require.NoError(t, err)
				for _, p := range a.parts {
					require.Equal(t, want[0], float32(scale(p)))
				}
			})
			return nil
		})
		require.NoError(t, err)
	}
}

func TestRoundTrip(t *testing.T) {
	dir := t.TempDir()
	for name, o := range map[string]SaveOptions{
		"default": {}, "unet": {Prefix: "unet."}, "any": {Prefix: "my.net", Weight: 0.3}, "one": {Weight: 1},
	} {
		t.Run(name, func(t *testing.T) {
			a := filled(t, Config{Rank: 3, Alpha: 0.7}, twoLayers...).WithWeight(3.7)
			path := filepath.Join(dir, name)
			require.NoError(t, a.Save(path, o))
			b, err := Load(path, twoLayers)
			require.NoError(t, err)
			require.Equal(t, strings.TrimSuffix(cmp.Or(o.Prefix, DefaultPrefix), "."), b.Prefix())
			require.Equal(t, a.WithPrefix(o.Prefix), b, "bit for bit")
			require.NoError(t, b.Save(path+"2", o))
			requireSameFile(t, path, path+"2")
		})
	}
	// One layer's name is the end of the other's, as a pattern of PEFT is.
	q, xq := Layer{Name: "q", In: 5, Out: 4}, Layer{Name: "x.q", In: 5, Out: 4}
	for _, only := range []Layer{q, xq} {
		merged, err := Merge([]float64{1, 0.3}, filled(t, Config{Rank: 2}, q, xq), filled(t, Config{Rank: 3}, only))
		require.NoError(t, err)
		path := filepath.Join(dir, "merged")
		require.NoError(t, merged.Save(path, SaveOptions{Weight: 0.7}))
		back, err := Load(path, []Layer{q, xq})
		require.NoError(t, err)
		require.Equal(t, merged, back, "ranks and alphas that differ between layers")
		theirs := asElsewhere(t, path)
		for i, p := range theirs.parts {
			require.InEpsilon(t, 0.7*scale(merged.parts[i]), scale(p), 1e-12)
		}
	}
}

func requireSameFile(t *testing.T, a, b string) {
	t.Helper()
	first, err := os.ReadFile(a)
	require.NoError(t, err)
	second, err := os.ReadFile(b)
	require.NoError(t, err)
	require.True(t, bytes.Equal(first, second), "equal adapters make equal bytes")
}

// TestSavedForDiffusers pins what diffusers reads from the header.
func TestSavedForDiffusers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	a := filled(t, Config{}, twoLayers...)
	require.NoError(t, a.Save(path, SaveOptions{}))
	f, err := safetensors.OpenFile(path)
	require.NoError(t, err)
	defer f.Close()
	require.Equal(t, "pt", f.Metadata()["format"])
	require.Equal(t, `{
  "transformer.alpha_pattern": {},
  "transformer.lora_alpha": 40,
  "transformer.r": 16,
  "transformer.rank_pattern": {},
  "transformer.target_modules": [
    "blocks.0.attn.to_q",
    "blocks.0.conv"
  ]
}`, f.Metadata()["lora_adapter_metadata"])
	info, ok := f.Info("transformer.blocks.0.conv.lora_B.weight")
	require.True(t, ok)
	require.Equal(t, []int{4, 16, 1, 1}, info.Shape)
	theirs := asElsewhere(t, path)
	for i, p := range theirs.parts {
		require.Equal(t, 5*scale(a.parts[i]), scale(p), "scale 1 elsewhere is weight 5 here")
	}
}

// asElsewhere loads a file as a program that knows nothing of this one does.
func asElsewhere(t *testing.T, path string) *Adapter {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	changed := bytes.Replace(content, []byte(`"dualprocess":`), []byte(`"Dualprocess":`), 1)
	a, err := load(fstest.MapFS{"a": {Data: changed}}, "a", nil, LoadOptions{})
	require.NoError(t, err)
	return a
}

func TestBaked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	q, k := Layer{Name: "q", In: 5, Out: 4}, Layer{Name: "k", In: 5, Out: 4}
	a, err := Merge([]float64{1, 0.3}, filled(t, Config{Rank: 2}, q, k), filled(t, Config{Rank: 3}, q))
	require.NoError(t, err)
	a = a.WithWeight(3)
	require.NoError(t, a.Save(path, SaveOptions{Baked: true}))
	theirs := asElsewhere(t, path)
	for i, p := range theirs.parts {
		require.Equal(t, 5, p.rank, "one rank for all")
		require.Equal(t, 1.0, scale(p))
		original := a.parts[i]
		for o := range p.Out {
			for r := range original.rank {
				want := 3 * scale(original) * float64(original.b[o*original.rank+r])
				require.InEpsilon(t, want, p.b[o*5+r], 1e-6)
			}
		}
	}
	ours, err := Load(path, nil)
	require.NoError(t, err)
	require.Equal(t, 3.0, ours.Weight())
	require.InEpsilon(t, 1, ours.Weight()*scale(ours.parts[0]), 1e-12, "at its weight it does the same")
}

func TestSaveRefuses(t *testing.T) {
	a := filled(t, Config{}, twoLayers...)
	path := filepath.Join(t.TempDir(), "a")
	for _, o := range []SaveOptions{{Weight: math.NaN()}, {Weight: math.Inf(1)}} {
		require.ErrorIs(t, a.Save(path, o), ErrConfig)
	}
	require.ErrorIs(t, a.WithWeight(0).Save(path, SaveOptions{}), ErrConfig)
	require.ErrorIs(t, a.Save(path, SaveOptions{Baked: true, Weight: 1e300}), ErrNotFinite)
	require.ErrorIs(t, a.Save(path, SaveOptions{Prefix: "\xff"}), safetensors.ErrFormat)
	require.Error(t, a.WithWeight(1e300).Save(path, SaveOptions{Weight: 1e308}), "an alpha that is no number")
	require.NoFileExists(t, path)
}
