package lora

import "strings"

// xlabs' adapters of FLUX.1 are the processors of its attentions: of the double
// blocks' two streams, and of the single blocks, where the feed-forward layer that
// shares linear1 is left out.
var xlabs = naming{
	name:   "xlabs",
	begins: []string{"double_blocks.", "single_blocks."},
	modules: func(layers []Layer) []fused {
		var list []fused
		known := byName(layers)
		if !flux1.is(known) {
			return nil
		}
		for _, f := range flux1.published(known) {
			for _, rule := range []struct{ published, processor string }{
				{".img_attn.qkv", ".processor.qkv_lora1"},
				{".txt_attn.qkv", ".processor.qkv_lora2"},
				{".img_attn.proj", ".processor.proj_lora1"},
				{".txt_attn.proj", ".processor.proj_lora2"},
				{".linear1", ".processor.qkv_lora"},
				{".linear2", ".processor.proj_lora"},
			} {
				block, ok := strings.CutSuffix(f.name, rule.published)
				if !ok {
					continue
				}
				g := fused{name: block + rule.processor, layers: f.layers}
				if rule.published == ".linear1" {
					g.layers = g.layers[:3]
				}
				list = append(list, g)
				g.name = "diffusion_model." + g.name
				list = append(list, g)
			}
		}
		return list
	},
}
