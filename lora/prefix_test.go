package lora

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

// Layers of a U-Net and of a transformer, as diffusers names them.
var (
	unetLayers        = []Layer{{Name: "down_blocks.0.attn.to_q", In: 3, Out: 4}, {Name: "mid_block.attn.to_q", In: 3, Out: 4}}
	transformerLayers = []Layer{{Name: "transformer_blocks.0.attn.to_q", In: 3, Out: 4}}
)

// savedPrefix saves an adapter and returns what stands before its layers' names in
// the file.
func savedPrefix(t *testing.T, a *Adapter, o SaveOptions) string {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	require.NoError(t, a.Save(path, o))
	f, err := safetensors.OpenFile(path)
	require.NoError(t, err)
	defer f.Close()
	prefix, found := "", 0
	for _, info := range f.Tensors() {
		for _, l := range a.Layers() {
			if before, ok := strings.CutSuffix(info.Name, "."+l.Name+".lora_A.weight"); ok {
				prefix, found = before, found+1
			}
		}
	}
	require.Len(t, a.Layers(), found)
	require.Contains(t, f.Metadata()[peftKey], `"`+prefix+`.r":`, "diffusers finds the settings by the same prefix")
	return prefix
}

func TestPrefixOfNew(t *testing.T) {
	for _, test := range []struct {
		given  string
		layers []Layer
		want   string
	}{
		{"", transformerLayers, "transformer"},
		{"", unetLayers, "unet"},
		{"", unetLayers[1:], "unet"},
		{"unet", transformerLayers, "unet"},
		{"transformer.", unetLayers, "transformer"},
		{"my.net", unetLayers, "my.net"},
	} {
		a := filled(t, Config{Prefix: test.given}, test.layers...)
		require.Equal(t, test.want, a.Prefix())
		require.Equal(t, test.want, savedPrefix(t, a, SaveOptions{}))
		require.Equal(t, test.want, savedPrefix(t, a, SaveOptions{Baked: true}))
		require.Equal(t, "other", savedPrefix(t, a, SaveOptions{Prefix: "other."}))

		scaled, err := a.WithWeight(2).Scale(3)
		require.NoError(t, err)
		scaled, err = scaled.WithParams(a.Params())
		require.NoError(t, err)
		require.Equal(t, test.want, scaled.Prefix())
		require.Equal(t, "other", a.WithPrefix("other.").Prefix())
	}
	_, err := New(Config{Prefix: "\xff"}, unetLayers)
	require.ErrorIs(t, err, ErrConfig)
	require.ErrorContains(t, err, "Prefix")
}

// A file's prefix is kept, and one that is no pipeline's is not.
func TestPrefixOfLoad(t *testing.T) {
	named := func(prefix string, layers []Layer) fstest.MapFS {
		shapes := map[string][]int{}
		for _, l := range layers {
			shapes[prefix+l.Name+".lora_A.weight"], shapes[prefix+l.Name+".lora_B.weight"] = []int{2, l.In}, []int{l.Out, 2}
		}
		return fstest.MapFS{"a": {Data: file(t, nil, 1, shapes)}}
	}
	for _, test := range []struct {
		before string
		layers []Layer
		want   string
	}{
		{"unet.", unetLayers, "unet"},
		{"unet.", transformerLayers, "unet"},
		{"transformer.", transformerLayers, "transformer"},
		{"base_model.model.", unetLayers, "unet"},
		{"base_model.model.", transformerLayers, "transformer"},
		{"", unetLayers, "unet"},
		{"", transformerLayers, "transformer"},
	} {
		for _, layers := range [][]Layer{nil, test.layers} {
			a, err := load(named(test.before, test.layers), "a", layers, LoadOptions{})
			require.NoError(t, err)
			require.Equal(t, test.layers, a.Layers())
			require.Equal(t, test.want, a.Prefix(), "%+v", test)
			require.Equal(t, test.want, savedPrefix(t, a, SaveOptions{}))
		}
	}
}

// In kohya's naming no tensor has the prefix; ours remember it all the same.
func TestPrefixInKohya(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	for _, prefix := range []string{"", "unet"} {
		a, err := New(Config{Prefix: prefix}, tinyFlux)
		require.NoError(t, err)
		require.NoError(t, a.Save(path, SaveOptions{Kohya: tinyFlux}))
		b, err := Load(path, tinyFlux)
		require.NoError(t, err)
		require.Equal(t, a.Prefix(), b.Prefix())
	}
}

func TestPrefixOfMerge(t *testing.T) {
	unet, transformer := filled(t, Config{}, unetLayers...), filled(t, Config{Prefix: "transformer"}, unetLayers[:1]...)
	merged, err := Merge([]float64{1, 2}, unet, unet)
	require.NoError(t, err)
	require.Equal(t, "unet", merged.Prefix())
	_, err = Merge([]float64{1, 2}, unet, transformer)
	require.ErrorIs(t, err, ErrMismatch)
	require.ErrorContains(t, err, `"transformer"`)
	require.ErrorContains(t, err, `"unet"`)
	_, err = Merge([]float64{1, 2}, unet, transformer.WithPrefix("unet"))
	require.NoError(t, err)
}
