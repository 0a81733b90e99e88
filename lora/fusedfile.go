package lora

import (
	"fmt"

	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

// fusedFile is how Save writes a naming whose modules may be several of our layers.
type fusedFile struct {
	modules  func(layers []Layer) []fused // each of the layers in one of them
	down, up string                       // endings of A and B
	alpha    bool                         // there is a tensor of it; without, it is in B
}

// covering returns the modules, and each layer that is in none of them as one.
func covering(modules []fused, layers []Layer) []fused {
	covered := map[string]bool{}
	for _, f := range modules {
		for _, l := range f.layers {
			covered[l.Name] = true
		}
	}
	for _, l := range layers {
		if !covered[l.Name] {
			modules = append(modules, alone(l.Name, l))
		}
	}
	return modules
}

// encodeFused returns what a file of a generator of these layers holds.
func (a *Adapter) encodeFused(o SaveOptions, layers []Layer, file fusedFile) ([]safetensors.Tensor, map[string]string, error) {
	if err := fit(a.parts, layers); err != nil {
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
	for _, f := range file.modules(layers) {
		joined, err := f.join(parts)
		if err != nil {
			return nil, nil, fmt.Errorf("layer %q: %w", f.name, err)
		}
		if joined.rank == 0 {
			continue
		}
		if named[f.name] {
			return nil, nil, fmt.Errorf("%w: two layers are %q in this naming", ErrConfig, f.name)
		}
		named[f.name] = true
		list = append(list, file.tensors(f.name, joined)...)
	}
	header, err := own.header(original)
	return list, header, err
}

// tensors are those of one module.
func (file fusedFile) tensors(name string, p part) []safetensors.Tensor {
	dimsA, dimsB := p.dims()
	list := []safetensors.Tensor{
		safetensors.FromFloat32s(name+file.down, p.a, dimsA...),
		safetensors.FromFloat32s(name+file.up, p.b, dimsB...),
	}
	if file.alpha {
		list = append(list, safetensors.FromFloat32s(name+".alpha", []float32{float32(p.alpha)}))
	}
	return list
}
