package lora

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// comfyFlux is how ComfyUI maps the layers of a FLUX in diffusers' naming to those of
// the model that it runs (flux_to_diffusers in comfy/utils.py, read at v0.26.1): the
// layer there, and the first and the number of rows in widths of the model, where
// they are a part of it.
var comfyFlux = []struct {
	ours, theirs string
	first, rows  int
	swapped      bool
}{
	{"transformer_blocks.1.attn.to_q", "double_blocks.1.img_attn.qkv", 0, 1, false},
	{"transformer_blocks.1.attn.to_k", "double_blocks.1.img_attn.qkv", 1, 1, false},
	{"transformer_blocks.1.attn.to_v", "double_blocks.1.img_attn.qkv", 2, 1, false},
	{"transformer_blocks.1.attn.add_q_proj", "double_blocks.1.txt_attn.qkv", 0, 1, false},
	{"transformer_blocks.1.attn.add_k_proj", "double_blocks.1.txt_attn.qkv", 1, 1, false},
	{"transformer_blocks.1.attn.add_v_proj", "double_blocks.1.txt_attn.qkv", 2, 1, false},
	{"transformer_blocks.0.attn.to_out.0", "double_blocks.0.img_attn.proj", 0, 0, false},
	{"transformer_blocks.0.attn.to_add_out", "double_blocks.0.txt_attn.proj", 0, 0, false},
	{"transformer_blocks.0.norm1.linear", "double_blocks.0.img_mod.lin", 0, 0, false},
	{"transformer_blocks.0.norm1_context.linear", "double_blocks.0.txt_mod.lin", 0, 0, false},
	{"transformer_blocks.0.ff.net.0.proj", "double_blocks.0.img_mlp.0", 0, 0, false},
	{"transformer_blocks.0.ff.net.2", "double_blocks.0.img_mlp.2", 0, 0, false},
	{"transformer_blocks.0.ff_context.net.0.proj", "double_blocks.0.txt_mlp.0", 0, 0, false},
	{"transformer_blocks.0.ff_context.net.2", "double_blocks.0.txt_mlp.2", 0, 0, false},
	{"single_transformer_blocks.2.attn.to_q", "single_blocks.2.linear1", 0, 1, false},
	{"single_transformer_blocks.2.attn.to_k", "single_blocks.2.linear1", 1, 1, false},
	{"single_transformer_blocks.2.attn.to_v", "single_blocks.2.linear1", 2, 1, false},
	{"single_transformer_blocks.2.proj_mlp", "single_blocks.2.linear1", 3, 4, false},
	{"single_transformer_blocks.2.proj_out", "single_blocks.2.linear2", 0, 0, false},
	{"single_transformer_blocks.2.norm.linear", "single_blocks.2.modulation.lin", 0, 0, false},
	{"x_embedder", "img_in", 0, 0, false},
	{"context_embedder", "txt_in", 0, 0, false},
	{"proj_out", "final_layer.linear", 0, 0, false},
	{"norm_out.linear", "final_layer.adaLN_modulation.1", 0, 0, true},
	{"time_text_embed.timestep_embedder.linear_1", "time_in.in_layer", 0, 0, false},
	{"time_text_embed.timestep_embedder.linear_2", "time_in.out_layer", 0, 0, false},
	{"time_text_embed.text_embedder.linear_1", "vector_in.in_layer", 0, 0, false},
	{"time_text_embed.text_embedder.linear_2", "vector_in.out_layer", 0, 0, false},
	{"time_text_embed.guidance_embedder.linear_1", "guidance_in.in_layer", 0, 0, false},
	{"time_text_embed.guidance_embedder.linear_2", "guidance_in.out_layer", 0, 0, false},
}

// comfyUnet is the same of a U-Net with one residual block in a stage on the way
// down and two on the way up (unet_to_diffusers there); its parts of a layer are
// the same for all blocks of a kind.
var comfyUnet = map[string]string{
	"conv_in":                                                "input_blocks.0.0",
	"conv_out":                                               "out.2",
	"time_embedding.linear_1":                                "time_embed.0",
	"time_embedding.linear_2":                                "time_embed.2",
	"down_blocks.0.resnets.0.conv1":                          "input_blocks.1.0.in_layers.2",
	"down_blocks.0.resnets.0.time_emb_proj":                  "input_blocks.1.0.emb_layers.1",
	"down_blocks.0.resnets.0.conv2":                          "input_blocks.1.0.out_layers.3",
	"down_blocks.0.attentions.0.proj_in":                     "input_blocks.1.1.proj_in",
	"down_blocks.0.downsamplers.0.conv":                      "input_blocks.2.0.op",
	"down_blocks.1.resnets.0.conv_shortcut":                  "input_blocks.3.0.skip_connection",
	"down_blocks.1.attentions.0.proj_out":                    "input_blocks.3.1.proj_out",
	"down_blocks.1.downsamplers.0.conv":                      "input_blocks.4.0.op",
	"down_blocks.2.resnets.0.conv1":                          "input_blocks.5.0.in_layers.2",
	"down_blocks.2.downsamplers.0.conv":                      "input_blocks.6.0.op",
	"down_blocks.3.resnets.0.conv2":                          "input_blocks.7.0.out_layers.3",
	"mid_block.resnets.0.conv1":                              "middle_block.0.in_layers.2",
	"mid_block.attentions.0.proj_in":                         "middle_block.1.proj_in",
	"mid_block.resnets.1.conv2":                              "middle_block.2.out_layers.3",
	"up_blocks.0.resnets.0.conv_shortcut":                    "output_blocks.0.0.skip_connection",
	"up_blocks.0.resnets.1.conv1":                            "output_blocks.1.0.in_layers.2",
	"up_blocks.0.upsamplers.0.conv":                          "output_blocks.1.1.conv",
	"up_blocks.1.resnets.0.time_emb_proj":                    "output_blocks.2.0.emb_layers.1",
	"up_blocks.1.attentions.1.proj_in":                       "output_blocks.3.1.proj_in",
	"up_blocks.1.upsamplers.0.conv":                          "output_blocks.3.2.conv",
	"up_blocks.2.upsamplers.0.conv":                          "output_blocks.5.2.conv",
	"up_blocks.3.resnets.1.conv1":                            "output_blocks.7.0.in_layers.2",
	"up_blocks.3.attentions.1.proj_out":                      "output_blocks.7.1.proj_out",
	sdAttn + "attn1.to_out.0":                                "input_blocks.1.1.transformer_blocks.0.attn1.to_out.0",
	sdAttn + "attn2.to_k":                                    "input_blocks.1.1.transformer_blocks.0.attn2.to_k",
	sdAttn + "ff.net.0.proj":                                 "input_blocks.1.1.transformer_blocks.0.ff.net.0.proj",
	"up_blocks.2.attentions.0.transformer_blocks.0.ff.net.2": "output_blocks.4.1.transformer_blocks.0.ff.net.2",
}

// TestComfyFlux compares the published names with ComfyUI's for every kind of layer.
func TestComfyFlux(t *testing.T) {
	layers := append(layersOf(t, "flux_schnell"),
		Layer{Name: "time_text_embed.guidance_embedder.linear_1", In: 256, Out: 48},
		Layer{Name: "time_text_embed.guidance_embedder.linear_2", In: 48, Out: 48})
	const width = 48
	known, kinds := published(layers), map[string]bool{}
	for _, test := range comfyFlux {
		for _, name := range []string{"lora_unet_" + undotted(test.theirs), "diffusion_model." + test.theirs} {
			f, ok := known[name]
			require.True(t, ok, name)
			require.Equal(t, test.swapped, f.swapped, name)
			row, found := 0, false
			for _, l := range f.layers {
				if found = l.Name == test.ours; found {
					require.Equal(t, test.first*width, row, test.ours)
					require.True(t, test.rows == 0 && len(f.layers) == 1 || l.Out == test.rows*width, test.ours)
					break
				}
				row += l.Out
			}
			require.True(t, found, "%s is not in %s", test.ours, name)
		}
		// ComfyUI's own names for diffusers' layers.
		for _, name := range []string{"lycoris_" + undotted(test.ours), "lora_transformer_" + undotted(test.ours)} {
			require.Equal(t, test.ours, known[name].layers[0].Name)
		}
		kinds[kind(test.ours)] = true
	}
	for _, l := range layers {
		require.True(t, kinds[kind(l.Name)], "%s is in no line of the table", l.Name)
	}
}

// TestComfyUnet does so for a U-Net.
func TestComfyUnet(t *testing.T) {
	layers := layersOf(t, "sd14")
	known, kinds := published(layers), map[string]bool{}
	for ours, theirs := range comfyUnet {
		for _, name := range []string{
			"lora_unet_" + undotted(theirs), "diffusion_model." + theirs, "lora_unet_" + undotted(ours), "lycoris_" + undotted(ours),
		} {
			f, ok := known[name]
			require.True(t, ok, name)
			require.Len(t, f.layers, 1, name)
			require.Equal(t, ours, f.layers[0].Name, name)
		}
	}
	all := map[string]bool{}
	for _, f := range unetPublished(layers) {
		require.False(t, all[f.name], f.name)
		all[f.name], kinds[f.layers[0].Name] = true, true
	}
	require.Len(t, kinds, len(layers), "every layer has a published name, and none has two")
}

// kind is a layer's name without the number of its block.
func kind(name string) string {
	parts := strings.Split(name, ".")
	if strings.HasSuffix(parts[0], "_blocks") {
		parts[1] = "N"
	}
	return strings.Join(parts, ".")
}
