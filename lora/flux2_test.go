package lora

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

// flux2Width is that of the stream of tinyFlux2.
const flux2Width = 2

// flux2Map is how diffusers maps the layers of FLUX.2 as published to its own
// (_convert_non_diffusers_flux2_lora_to_diffusers and convert_flux2_to_diffusers.py, read
// at 0.40): the layer's features, its name there, and the first of its rows, in widths of
// the stream, where it is a part of it. ComfyUI runs the published model. It is all
// layers of a model of one block of each kind.
var flux2Map = []struct {
	layer     Layer
	published string
	first     int
	swapped   bool
}{
	{Layer{Name: "x_embedder", In: 8, Out: 2}, "img_in", 0, false},
	{Layer{Name: "context_embedder", In: 6, Out: 2}, "txt_in", 0, false},
	{Layer{Name: "time_guidance_embed.timestep_embedder.linear_1", In: 4, Out: 2}, "time_in.in_layer", 0, false},
	{Layer{Name: "time_guidance_embed.timestep_embedder.linear_2", In: 2, Out: 2}, "time_in.out_layer", 0, false},
	{Layer{Name: "time_guidance_embed.guidance_embedder.linear_1", In: 4, Out: 2}, "guidance_in.in_layer", 0, false},
	{Layer{Name: "time_guidance_embed.guidance_embedder.linear_2", In: 2, Out: 2}, "guidance_in.out_layer", 0, false},
	{Layer{Name: "double_stream_modulation_img.linear", In: 2, Out: 12}, "double_stream_modulation_img.lin", 0, false},
	{Layer{Name: "double_stream_modulation_txt.linear", In: 2, Out: 12}, "double_stream_modulation_txt.lin", 0, false},
	{Layer{Name: "single_stream_modulation.linear", In: 2, Out: 6}, "single_stream_modulation.lin", 0, false},
	{Layer{Name: "transformer_blocks.0.attn.to_q", In: 2, Out: 2}, "double_blocks.0.img_attn.qkv", 0, false},
	{Layer{Name: "transformer_blocks.0.attn.to_k", In: 2, Out: 2}, "double_blocks.0.img_attn.qkv", 1, false},
	{Layer{Name: "transformer_blocks.0.attn.to_v", In: 2, Out: 2}, "double_blocks.0.img_attn.qkv", 2, false},
	{Layer{Name: "transformer_blocks.0.attn.to_out.0", In: 2, Out: 2}, "double_blocks.0.img_attn.proj", 0, false},
	{Layer{Name: "transformer_blocks.0.attn.add_q_proj", In: 2, Out: 2}, "double_blocks.0.txt_attn.qkv", 0, false},
	{Layer{Name: "transformer_blocks.0.attn.add_k_proj", In: 2, Out: 2}, "double_blocks.0.txt_attn.qkv", 1, false},
	{Layer{Name: "transformer_blocks.0.attn.add_v_proj", In: 2, Out: 2}, "double_blocks.0.txt_attn.qkv", 2, false},
	{Layer{Name: "transformer_blocks.0.attn.to_add_out", In: 2, Out: 2}, "double_blocks.0.txt_attn.proj", 0, false},
	{Layer{Name: "transformer_blocks.0.ff.linear_in", In: 2, Out: 12}, "double_blocks.0.img_mlp.0", 0, false},
	{Layer{Name: "transformer_blocks.0.ff.linear_out", In: 6, Out: 2}, "double_blocks.0.img_mlp.2", 0, false},
	{Layer{Name: "transformer_blocks.0.ff_context.linear_in", In: 2, Out: 12}, "double_blocks.0.txt_mlp.0", 0, false},
	{Layer{Name: "transformer_blocks.0.ff_context.linear_out", In: 6, Out: 2}, "double_blocks.0.txt_mlp.2", 0, false},
	{Layer{Name: "single_transformer_blocks.0.attn.to_qkv_mlp_proj", In: 2, Out: 18}, "single_blocks.0.linear1", 0, false},
	{Layer{Name: "single_transformer_blocks.0.attn.to_out", In: 8, Out: 2}, "single_blocks.0.linear2", 0, false},
	{Layer{Name: "norm_out.linear", In: 2, Out: 4}, "final_layer.adaLN_modulation.1", 0, true},
	{Layer{Name: "proj_out", In: 2, Out: 8}, "final_layer.linear", 0, false},
}

// tinyFlux2 are all layers of a FLUX.2.
func tinyFlux2() []Layer {
	var layers []Layer
	for _, row := range flux2Map {
		layers = append(layers, row.layer)
	}
	return layers
}

// TestFlux2Map compares every name under which a layer is read.
func TestFlux2Map(t *testing.T) {
	known := published(tinyFlux2())
	for _, test := range flux2Map {
		for _, name := range []string{
			"lora_unet_" + undotted(test.published), "diffusion_model." + test.published, test.published, "transformer." + test.published,
		} {
			f, ok := known[name]
			require.True(t, ok, name)
			require.Equal(t, test.swapped, f.swapped, name)
			row, found := 0, false
			for _, l := range f.layers {
				if found = l == test.layer; found {
					break
				}
				row += l.Out
			}
			require.True(t, found, "%s is not in %s", test.layer, name)
			require.Equal(t, test.first*flux2Width, row, test.layer)
		}
		for _, name := range []string{
			"diffusion_model." + test.layer.Name, "lycoris_" + undotted(test.layer.Name), "lora_transformer_" + undotted(test.layer.Name),
		} {
			require.Equal(t, []Layer{test.layer}, known[name].layers, name)
		}
	}
	for name := range known {
		require.NotContains(t, name, "processor", "xlabs has no such model")
	}
}

// TestComfyFile saves in ComfyUI's naming: the names in the file, and what comes back,
// which changes the model as much as the adapter did at its weight.
func TestComfyFile(t *testing.T) {
	for name, test := range map[string]struct {
		layers []Layer
		names  []string // some of the file
	}{
		"FLUX.2":  {tinyFlux2(), []string{"diffusion_model.double_blocks.0.txt_attn.qkv", "diffusion_model.single_blocks.0.linear1", "diffusion_model.final_layer.linear"}},
		"FLUX.1":  {tinyFlux, []string{"diffusion_model.double_blocks.0.img_attn.qkv", "diffusion_model.transformer_blocks.0.attn.add_q_proj"}},
		"U-Net":   {tinyUnet, []string{"diffusion_model.input_blocks.1.0.in_layers.2"}},
		"another": {twoLayers, []string{"diffusion_model." + twoLayers[0].Name}},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := New(Config{Rank: 2, Alpha: 3}, test.layers)
			require.NoError(t, err)
			a = numbered(t, a)
			path := filepath.Join(t.TempDir(), "a.safetensors")
			require.NoError(t, a.Save(path, SaveOptions{Comfy: test.layers}))
			f, err := safetensors.OpenFile(path)
			require.NoError(t, err)
			defer f.Close()
			for _, name := range test.names {
				require.NotEmpty(t, values(t, f, name+".lora_A.weight"))
				require.NotEmpty(t, values(t, f, name+".lora_B.weight"))
			}
			for _, info := range f.Tensors() {
				require.False(t, strings.HasSuffix(info.Name, ".alpha"), info.Name)
			}
			b, err := Load(path, test.layers)
			require.NoError(t, err)
			require.Equal(t, a.Weight(), b.Weight())
			require.Len(t, b.parts, len(a.parts))
			for k, p := range a.parts {
				q := b.parts[k]
				require.Equal(t, p.Layer, q.Layer)
				require.Equal(t, p.a, q.a)
				for i := range p.b { // whose products are exact
					require.Equal(t, float64(p.b[i])*p.alpha/float64(p.rank), float64(q.b[i])*q.alpha/float64(q.rank), p.Name)
				}
			}
		})
	}
	a := filled(t, Config{}, twoLayers...)
	path := filepath.Join(t.TempDir(), "a.safetensors")
	require.ErrorIs(t, a.Save(path, SaveOptions{Comfy: tinyFlux}), ErrMismatch)
	require.ErrorIs(t, a.Save(path, SaveOptions{Comfy: twoLayers, Kohya: twoLayers}), ErrConfig)
}
