package lora

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

// zImageMap is how ComfyUI maps the layers of Z-Image in diffusers' names to those of
// the published model (z_image_to_diffusers in comfy/utils.py, read in copies of
// December 2025 and later): the layer's features, its name there, and the first of its
// rows, in widths of the stream. It is layers of all kinds of a model of one block each.
var zImageMap = []struct {
	layer     Layer
	published string
	first     int
}{
	{Layer{Name: "all_x_embedder.2-1", In: 8, Out: 4}, "x_embedder", 0},
	{Layer{Name: "all_final_layer.2-1.linear", In: 4, Out: 8}, "final_layer.linear", 0},
	{Layer{Name: "all_final_layer.2-1.adaLN_modulation.1", In: 4, Out: 4}, "final_layer.adaLN_modulation.1", 0},
	{Layer{Name: "t_embedder.mlp.0", In: 6, Out: 6}, "t_embedder.mlp.0", 0},
	{Layer{Name: "cap_embedder.1", In: 6, Out: 4}, "cap_embedder.1", 0},
	{Layer{Name: "layers.0.attention.to_q", In: 4, Out: 4}, "layers.0.attention.qkv", 0},
	{Layer{Name: "layers.0.attention.to_k", In: 4, Out: 4}, "layers.0.attention.qkv", 1},
	{Layer{Name: "layers.0.attention.to_v", In: 4, Out: 4}, "layers.0.attention.qkv", 2},
	{Layer{Name: "layers.0.attention.to_out.0", In: 4, Out: 4}, "layers.0.attention.out", 0},
	{Layer{Name: "layers.0.feed_forward.w1", In: 4, Out: 10}, "layers.0.feed_forward.w1", 0},
	{Layer{Name: "layers.0.adaLN_modulation.0", In: 4, Out: 16}, "layers.0.adaLN_modulation.0", 0},
	{Layer{Name: "noise_refiner.0.attention.to_q", In: 4, Out: 4}, "noise_refiner.0.attention.qkv", 0},
	{Layer{Name: "noise_refiner.0.attention.to_k", In: 4, Out: 4}, "noise_refiner.0.attention.qkv", 1},
	{Layer{Name: "noise_refiner.0.attention.to_v", In: 4, Out: 4}, "noise_refiner.0.attention.qkv", 2},
	{Layer{Name: "noise_refiner.0.attention.to_out.0", In: 4, Out: 4}, "noise_refiner.0.attention.out", 0},
	{Layer{Name: "context_refiner.0.attention.to_q", In: 4, Out: 4}, "context_refiner.0.attention.qkv", 0},
	{Layer{Name: "context_refiner.0.attention.to_k", In: 4, Out: 4}, "context_refiner.0.attention.qkv", 1},
	{Layer{Name: "context_refiner.0.attention.to_v", In: 4, Out: 4}, "context_refiner.0.attention.qkv", 2},
	{Layer{Name: "context_refiner.0.attention.to_out.0", In: 4, Out: 4}, "context_refiner.0.attention.out", 0},
}

// zImageWidth is that of the stream in zImageMap.
const zImageWidth = 4

func tinyZImage() []Layer {
	var layers []Layer
	for _, row := range zImageMap {
		layers = append(layers, row.layer)
	}
	return layers
}

// TestZImageMap compares every name under which a layer is read.
func TestZImageMap(t *testing.T) {
	known := published(tinyZImage())
	for _, test := range zImageMap {
		for _, name := range []string{"diffusion_model." + test.published, "lora_unet_" + undotted(test.published)} {
			f, ok := known[name]
			require.True(t, ok, name)
			require.False(t, f.swapped, name)
			row, found := 0, false
			for _, l := range f.layers {
				if found = l == test.layer; found {
					break
				}
				row += l.Out
			}
			require.True(t, found, "%s is not in %s", test.layer, name)
			require.Equal(t, test.first*zImageWidth, row, test.layer)
		}
		for _, name := range []string{
			"diffusion_model." + test.layer.Name, "lycoris_" + undotted(test.layer.Name), "lora_unet_" + undotted(test.layer.Name),
		} {
			require.Equal(t, []Layer{test.layer}, known[name].layers, name)
		}
	}
}

// TestZImageFiles saves in the namings of ComfyUI and kohya. The names are those that
// diffusers reads as well, so no layer is fused, and all comes back.
func TestZImageFiles(t *testing.T) {
	layers := tinyZImage()
	a, err := New(Config{Rank: 2, Alpha: 3}, layers)
	require.NoError(t, err)
	a = numbered(t, a)
	for begin, o := range map[string]SaveOptions{"diffusion_model.": {Comfy: layers}, "lora_unet_": {Kohya: layers}} {
		path := filepath.Join(t.TempDir(), "a.safetensors")
		require.NoError(t, a.Save(path, o))
		f, err := safetensors.OpenFile(path)
		require.NoError(t, err)
		for _, l := range layers {
			if begin == "diffusion_model." {
				require.NotEmpty(t, values(t, f, begin+l.Name+".lora_A.weight"))
			} else {
				require.NotEmpty(t, values(t, f, begin+undotted(l.Name)+".lora_down.weight"))
			}
		}
		require.NoError(t, f.Close())
		b, err := Load(path, layers)
		require.NoError(t, err)
		require.Len(t, b.parts, len(a.parts))
		for k, p := range a.parts {
			q := b.parts[k]
			require.Equal(t, p.Layer, q.Layer)
			require.Equal(t, p.a, q.a)
			for i := range p.b { // whose products are exact
				require.Equal(t, float64(p.b[i])*p.alpha*a.weight/float64(p.rank), float64(q.b[i])*q.alpha*b.weight/float64(q.rank), p.Name)
			}
		}
	}
}
