package lora

import (
	"fmt"
	"slices"
	"strings"
)

// fluxRow is a layer of a FLUX as Black Forest Labs published it, and those of
// diffusers' that it is; in blocks, names below the block.
type fluxRow struct {
	published string
	ours      string // separated by spaces, in the order of the outputs
}

// fluxModel is one of the models.
type fluxModel struct {
	has    []string // layers by which it is known among all that there are
	blocks []fluxBlocks
	rest   []fluxRow // what comes before and after the blocks
}

// fluxBlocks are the layers in blocks of a kind, which Black Forest Labs and diffusers
// number alike.
type fluxBlocks struct {
	published, ours string
	rows            []fluxRow
}

// fluxModels are FLUX.1 and FLUX.2.
var fluxModels = []fluxModel{flux1, flux2}

var flux1 = fluxModel{
	has: []string{"transformer_blocks.0.attn.add_q_proj", "single_transformer_blocks.0.proj_mlp"},
	blocks: []fluxBlocks{
		{"double_blocks", "transformer_blocks", append([]fluxRow{
			{"img_mlp.0", "ff.net.0.proj"},
			{"img_mlp.2", "ff.net.2"},
			{"img_mod.lin", "norm1.linear"},
			{"txt_mlp.0", "ff_context.net.0.proj"},
			{"txt_mlp.2", "ff_context.net.2"},
			{"txt_mod.lin", "norm1_context.linear"},
		}, fluxAttention...)},
		{"single_blocks", "single_transformer_blocks", []fluxRow{
			{"linear1", "attn.to_q attn.to_k attn.to_v proj_mlp"},
			{"linear2", "proj_out"},
			{"modulation.lin", "norm.linear"},
		}},
	},
	rest: append([]fluxRow{
		{"time_in.in_layer", "time_text_embed.timestep_embedder.linear_1"},
		{"time_in.out_layer", "time_text_embed.timestep_embedder.linear_2"},
		{"vector_in.in_layer", "time_text_embed.text_embedder.linear_1"},
		{"vector_in.out_layer", "time_text_embed.text_embedder.linear_2"},
		{"guidance_in.in_layer", "time_text_embed.guidance_embedder.linear_1"},
		{"guidance_in.out_layer", "time_text_embed.guidance_embedder.linear_2"},
	}, fluxEnds...),
}

var flux2 = fluxModel{
	has: []string{"transformer_blocks.0.attn.add_q_proj", "single_transformer_blocks.0.attn.to_qkv_mlp_proj"},
	blocks: []fluxBlocks{
		{"double_blocks", "transformer_blocks", append([]fluxRow{
			{"img_mlp.0", "ff.linear_in"},
			{"img_mlp.2", "ff.linear_out"},
			{"txt_mlp.0", "ff_context.linear_in"},
			{"txt_mlp.2", "ff_context.linear_out"},
		}, fluxAttention...)},
		{"single_blocks", "single_transformer_blocks", []fluxRow{
			{"linear1", "attn.to_qkv_mlp_proj"},
			{"linear2", "attn.to_out"},
		}},
	},
	rest: append([]fluxRow{
		{"time_in.in_layer", "time_guidance_embed.timestep_embedder.linear_1"},
		{"time_in.out_layer", "time_guidance_embed.timestep_embedder.linear_2"},
		{"guidance_in.in_layer", "time_guidance_embed.guidance_embedder.linear_1"},
		{"guidance_in.out_layer", "time_guidance_embed.guidance_embedder.linear_2"},
		{"double_stream_modulation_img.lin", "double_stream_modulation_img.linear"},
		{"double_stream_modulation_txt.lin", "double_stream_modulation_txt.linear"},
		{"single_stream_modulation.lin", "single_stream_modulation.linear"},
	}, fluxEnds...),
}

// What the models have alike: attention in double blocks, and the ends.
var (
	fluxAttention = []fluxRow{
		{"img_attn.qkv", "attn.to_q attn.to_k attn.to_v"},
		{"img_attn.proj", "attn.to_out.0"},
		{"txt_attn.qkv", "attn.add_q_proj attn.add_k_proj attn.add_v_proj"},
		{"txt_attn.proj", "attn.to_add_out"},
	}
	fluxEnds = []fluxRow{
		{"img_in", "x_embedder"},
		{"txt_in", "context_embedder"},
		{"final_layer.linear", "proj_out"},
		{fluxLastModulation, "norm_out.linear"},
	}
)

// fluxLastModulation has shift and scale the other way round than diffusers.
const fluxLastModulation = "final_layer.adaLN_modulation.1"

// fluxPublished lists a FLUX's layers as Black Forest Labs published them; none if the
// layers are no FLUX's.
func fluxPublished(layers []Layer) []fused {
	known := byName(layers)
	for _, model := range fluxModels {
		if model.is(known) {
			return model.published(known)
		}
	}
	return nil
}

func (m fluxModel) is(known map[string]Layer) bool {
	return !slices.ContainsFunc(m.has, func(name string) bool { _, ok := known[name]; return !ok })
}

func (m fluxModel) published(known map[string]Layer) []fused {
	var list []fused
	for _, kind := range m.blocks {
		for i := 0; ; i++ {
			from, to := fmt.Sprintf("%s.%d.", kind.published, i), fmt.Sprintf("%s.%d.", kind.ours, i)
			block := fluxFused(known, from, to, kind.rows)
			if len(block) == 0 {
				break
			}
			list = append(list, block...)
		}
	}
	return append(list, fluxFused(known, "", "", m.rest)...)
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
