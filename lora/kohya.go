package lora

// kohya's sd-scripts name a layer by its path without dots. Of FLUX and SDXL they
// adapt the models as published, of Stable Diffusion 1 and 2 that of diffusers.
// SimpleTuner's LyCORIS adapters have the names of diffusers after another word.
var kohya = naming{
	name:   "kohya",
	begins: []string{"lora_unet_", "lycoris_"},
	modules: func(layers []Layer) []fused {
		var list []fused
		for _, l := range layers {
			list = append(list, alone("lora_unet_"+undotted(l.Name), l), alone("lycoris_"+undotted(l.Name), l))
		}
		for _, f := range append(firstPublished(layers), zImagePublished(layers)...) {
			f.name = "lora_unet_" + undotted(f.name)
			list = append(list, f)
		}
		return list
	},
}

// kohyaFile is how Save writes kohya's naming.
var kohyaFile = fusedFile{
	modules: func(layers []Layer) []fused {
		list := covering(fluxPublished(layers), layers)
		for i := range list {
			list[i].name = "lora_unet_" + undotted(list[i].name)
		}
		return list
	},
	down: ".lora_down.weight", up: ".lora_up.weight", alpha: true,
}
