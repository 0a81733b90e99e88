package flux

import (
	"fmt"
	"strings"

	"github.com/dualprocess/dualprocess-go/lora"
)

// Published are the layers' names as Black Forest Labs published the model, where
// queries, keys and values are one layer: what lora.SaveOptions.Fused and
// lora.Load take for files in kohya's naming, which ComfyUI reads.
//
// The last modulation (norm_out) is not among them: its halves are the other way
// round there.
func (g *Generator) Published() []lora.Fused {
	c := g.config.Transformer
	p := publisher{width: c.width(), mlp: mlpRatio * c.width()}
	p.embedders(c)
	for i := range c.Layers {
		from, to := fmt.Sprintf("transformer_blocks.%d.", i), fmt.Sprintf("double_blocks_%d_", i)
		p.stream(from, to+"img_", [4]string{"attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0"}, "ff", "norm1")
		p.stream(from, to+"txt_", [4]string{"attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj", "attn.to_add_out"}, "ff_context", "norm1_context")
	}
	for i := range c.SingleLayers {
		from, to := fmt.Sprintf("single_transformer_blocks.%d.", i), fmt.Sprintf("single_blocks_%d_", i)
		p.add(to+"linear1", p.square(from+"attn.to_q"), p.square(from+"attn.to_k"), p.square(from+"attn.to_v"),
			lora.Layer{Name: from + "proj_mlp", In: p.width, Out: p.mlp})
		p.add(to+"linear2", lora.Layer{Name: from + "proj_out", In: p.width + p.mlp, Out: p.width})
		p.add(to+"modulation_lin", lora.Layer{Name: from + "norm.linear", In: p.width, Out: 3 * p.width})
	}
	return p.list
}

// publisher collects the names.
type publisher struct {
	width, mlp int
	list       []lora.Fused
}

func (p *publisher) add(name string, layers ...lora.Layer) {
	p.list = append(p.list, lora.Fused{Name: "lora_unet_" + strings.ReplaceAll(name, ".", "_"), Layers: layers})
}

// square is a layer that keeps the width.
func (p *publisher) square(name string) lora.Layer {
	return lora.Layer{Name: name, In: p.width, Out: p.width}
}

// embedders adds what comes before and after the blocks.
func (p *publisher) embedders(c transformerConfig) {
	p.add("img_in", lora.Layer{Name: "x_embedder", In: c.InChannels, Out: p.width})
	p.add("txt_in", lora.Layer{Name: "context_embedder", In: c.TextWidth, Out: p.width})
	for _, e := range []struct {
		from, to string
		in       int
	}{{"timestep_embedder", "time_in", waves}, {"text_embedder", "vector_in", c.PooledWidth}, {"guidance_embedder", "guidance_in", waves}} {
		if e.to == "guidance_in" && !c.Guidance {
			continue
		}
		p.add(e.to+"_in_layer", lora.Layer{Name: "time_text_embed." + e.from + ".linear_1", In: e.in, Out: p.width})
		p.add(e.to+"_out_layer", p.square("time_text_embed."+e.from+".linear_2"))
	}
	p.add("final_layer_linear", lora.Layer{Name: "proj_out", In: p.width, Out: c.InChannels})
}

// stream adds one stream of a double block.
func (p *publisher) stream(from, to string, attn [4]string, ff, norm string) {
	p.add(to+"attn_qkv", p.square(from+attn[0]), p.square(from+attn[1]), p.square(from+attn[2]))
	p.add(to+"attn_proj", p.square(from+attn[3]))
	p.add(to+"mlp_0", lora.Layer{Name: from + ff + ".net.0.proj", In: p.width, Out: p.mlp})
	p.add(to+"mlp_2", lora.Layer{Name: from + ff + ".net.2", In: p.mlp, Out: p.width})
	p.add(to+"mod_lin", lora.Layer{Name: from + norm + ".linear", In: p.width, Out: 6 * p.width})
}
