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
		for _, f := range firstPublished(layers) {
			for _, word := range []string{"diffusion_model.", "", "transformer."} {
				g := f
				g.name = word + f.name
				list = append(list, g)
			}
		}
		return list
	},
}

// firstPublished lists the layers under the names of the models as first published;
// none if it is no model that was published elsewhere.
func firstPublished(layers []Layer) []fused {
	return append(fluxPublished(layers), unetPublished(layers)...)
}
