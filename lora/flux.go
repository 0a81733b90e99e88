package lora

import (
	"fmt"
	"strings"
)

// fluxRow is a layer of FLUX as Black Forest Labs published it, and those of
// diffusers' that it is; in blocks, names below the block.
type fluxRow struct {
	published string
	ours      string // separated by spaces, in the order of the outputs
}

// fluxBlocks are the layers in blocks, which Black Forest Labs and diffusers number
// alike.
var fluxBlocks = []struct {
	published, ours string
	rows            []fluxRow
}{
	{"double_blocks", "transformer_blocks", []fluxRow{
		{"img_attn.qkv", "attn.to_q attn.to_k attn.to_v"},
		{"img_attn.proj", "attn.to_out.0"},
		{"img_mlp.0", "ff.net.0.proj"},
		{"img_mlp.2", "ff.net.2"},
		{"img_mod.lin", "norm1.linear"},
		{"txt_attn.qkv", "attn.add_q_proj attn.add_k_proj attn.add_v_proj"},
		{"txt_attn.proj", "attn.to_add_out"},
		{"txt_mlp.0", "ff_context.net.0.proj"},
		{"txt_mlp.2", "ff_context.net.2"},
		{"txt_mod.lin", "norm1_context.linear"},
	}},
	{"single_blocks", "single_transformer_blocks", []fluxRow{
		{"linear1", "attn.to_q attn.to_k attn.to_v proj_mlp"},
		{"linear2", "proj_out"},
		{"modulation.lin", "norm.linear"},
	}},
}

// fluxRest is what comes before and after the blocks.
var fluxRest = []fluxRow{
	{"img_in", "x_embedder"},
	{"txt_in", "context_embedder"},
	{"time_in.in_layer", "time_text_embed.timestep_embedder.linear_1"},
	{"time_in.out_layer", "time_text_embed.timestep_embedder.linear_2"},
	{"vector_in.in_layer", "time_text_embed.text_embedder.linear_1"},
	{"vector_in.out_layer", "time_text_embed.text_embedder.linear_2"},
	{"guidance_in.in_layer", "time_text_embed.guidance_embedder.linear_1"},
	{"guidance_in.out_layer", "time_text_embed.guidance_embedder.linear_2"},
	{"final_layer.linear", "proj_out"},
	{fluxLastModulation, "norm_out.linear"},
}

// fluxLastModulation has shift and scale the other way round than diffusers.
const fluxLastModulation = "final_layer.adaLN_modulation.1"

// fluxPublished lists FLUX's layers as Black Forest Labs published them; none if the
// layers are not FLUX's.
func fluxPublished(layers []Layer) []fused {
	known := byName(layers)
	_, double := known["transformer_blocks.0.attn.add_q_proj"]
	_, single := known["single_transformer_blocks.0.proj_mlp"]
	if !double || !single {
		return nil
	}
	var list []fused
	for _, kind := range fluxBlocks {
		for i := 0; ; i++ {
			from, to := fmt.Sprintf("%s.%d.", kind.published, i), fmt.Sprintf("%s.%d.", kind.ours, i)
			block := fluxFused(known, from, to, kind.rows)
			if len(block) == 0 {
				break
			}
			list = append(list, block...)
		}
	}
	return append(list, fluxFused(known, "", "", fluxRest)...)
}

// fluxFused lists those of the rows all of whose layers are known.
func fluxFused(known map[string]Layer, from, to string, rows []fluxRow) []fused {
	var list []fused
	for _, row := range rows {
		f := fused{name: from + row.published, swapped: row.published == fluxLastModulation}
		names := strings.Fields(row.ours)
		for _, name := range names {
			if l, ok := known[to+name]; ok {
				f.layers = append(f.layers, l)
			}
		}
		if len(f.layers) == len(names) {
			list = append(list, f)
		}
	}
	return list
}
