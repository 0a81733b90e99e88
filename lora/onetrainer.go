package lora

import "strconv"

// oneTrainer writes diffusers' names of a transformer without dots after
// "lora_transformer_", or with them, and those of a U-Net as kohya; and in its newer
// files the published names, with numbers for the layers that are one there.
var oneTrainer = naming{
	name:   "OneTrainer",
	begins: []string{"lora_transformer_", "lora_transformer.", "lora_unet."},
	modules: func(layers []Layer) []fused {
		var list []fused
		for _, l := range layers {
			list = append(list, alone("lora_transformer_"+undotted(l.Name), l),
				alone("lora_transformer."+l.Name, l), alone("lora_unet."+l.Name, l))
		}
		for _, f := range fluxPublished(layers) {
			switch {
			case f.name == "img_in":
				f.name = "transformer.img_in.proj"
				list = append(list, f)
			case len(f.layers) > 1:
				for i, l := range f.layers {
					list = append(list, alone("transformer."+f.name+"."+strconv.Itoa(i), l))
				}
			}
		}
		return list
	},
}
