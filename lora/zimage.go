package lora

// zImage is Z-Image as its authors published it, which ComfyUI runs: queries, keys and
// values are one layer. What is not here has the same name in diffusers.
var zImage = fluxModel{
	has: []string{"layers.0.attention.to_q", "noise_refiner.0.attention.to_q"},
	blocks: []fluxBlocks{
		{"layers", "layers", zImageAttention},
		{"noise_refiner", "noise_refiner", zImageAttention},
		{"context_refiner", "context_refiner", zImageAttention},
	},
	rest: []fluxRow{
		{"x_embedder", "all_x_embedder.2-1"},
		{"final_layer.linear", "all_final_layer.2-1.linear"},
		{fluxLastModulation, "all_final_layer.2-1.adaLN_modulation.1"},
	},
}

var zImageAttention = []fluxRow{
	{"attention.qkv", "attention.to_q attention.to_k attention.to_v"},
	{"attention.out", "attention.to_out.0"},
}

// zImagePublished lists those of a Z-Image's layers that are others as published; none
// if the layers are no Z-Image's. Save does not write these names: ComfyUI reads those of
// diffusers as well, and diffusers 0.42 passes over a fused layer.
func zImagePublished(layers []Layer) []fused {
	known := byName(layers)
	if !zImage.is(known) {
		return nil
	}
	list := zImage.published(known)
	for i := range list {
		list[i].swapped = false // there is no shift
	}
	return list
}
