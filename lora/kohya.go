package lora

import (
	"fmt"

	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

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
		for _, f := range firstPublished(layers) {
			f.name = "lora_unet_" + undotted(f.name)
			list = append(list, f)
		}
		return list
	},
}

// kohyaWritten lists the modules of kohya's files for these layers, each in one of them.
func kohyaWritten(layers []Layer) []fused {
	list := fluxPublished(layers)
	covered := map[string]bool{}
	for _, f := range list {
		for _, l := range f.layers {
			covered[l.Name] = true
		}
	}
	for _, l := range layers {
		if !covered[l.Name] {
			list = append(list, alone(l.Name, l))
		}
	}
	for i := range list {
		list[i].name = "lora_unet_" + undotted(list[i].name)
	}
	return list
}

// encodeKohya returns what a file in kohya's naming holds.
func (a *Adapter) encodeKohya(o SaveOptions) ([]safetensors.Tensor, map[string]string, error) {
	if err := fit(a.parts, o.Kohya); err != nil {
		return nil, nil, err
	}
	written, original, err := a.forFile(o)
	if err != nil {
		return nil, nil, err
	}
	parts := make(map[string]part, len(written))
	own := ownMetadata{Prefix: o.Prefix, Weight: a.weight, One: o.Weight, Ranks: map[string]int{}}
	for _, p := range written {
		parts[p.Name], own.Ranks[p.Name] = p, p.rank
	}
	var list []safetensors.Tensor
	named := map[string]bool{}
	for _, f := range kohyaWritten(o.Kohya) {
		joined, err := f.join(parts)
		if err != nil {
			return nil, nil, fmt.Errorf("layer %q: %w", f.name, err)
		}
		if joined.rank == 0 {
			continue
		}
		if named[f.name] {
			return nil, nil, fmt.Errorf("%w: two layers are %q in kohya's naming", ErrConfig, f.name)
		}
		named[f.name] = true
		dimsA, dimsB := joined.dims()
		list = append(list,
			safetensors.FromFloat32s(f.name+".lora_down.weight", joined.a, dimsA...),
			safetensors.FromFloat32s(f.name+".lora_up.weight", joined.b, dimsB...),
			safetensors.FromFloat32s(f.name+".alpha", []float32{float32(joined.alpha)}))
	}
	header, err := own.header(original)
	return list, header, err
}
