package lora

// comfy's generic naming is "diffusion_model." and the path in the model as
// published, whatever the endings; ai-toolkit and others write it. Some leave the
// word out, or say "transformer." instead.
var comfy = naming{
	name:   "ComfyUI",
	begins: []string{"diffusion_model.", "double_blocks.", "single_blocks.", "input_blocks.", "middle_block.", "output_blocks."},
	modules: func(layers []Layer) []fused {
		var list []fused
		for _, l := range layers {
			list = append(list, alone("diffusion_model."+l.Name, l))
		}
		for _, f := range append(firstPublished(layers), zImagePublished(layers)...) {
			for _, word := range []string{"diffusion_model.", "", "transformer."} {
				g := f
				g.name = word + f.name
				list = append(list, g)
			}
		}
		return list
	},
}

// comfyFile is how Save writes ComfyUI's naming. Nothing says an alpha, which diffusers
// refuses beside these endings, so what it says is in the numbers.
var comfyFile = fusedFile{
	modules: func(layers []Layer) []fused {
		list := covering(firstPublished(layers), layers)
		for i := range list {
			list[i].name = "diffusion_model." + list[i].name
		}
		return list
	},
	down: ".lora_A.weight", up: ".lora_B.weight",
}

// firstPublished lists the layers under the names of the models as first published;
// none if it is no model that was published elsewhere.
func firstPublished(layers []Layer) []fused {
	return append(fluxPublished(layers), unetPublished(layers)...)
}
