package lora

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

// SaveOptions says how Save writes an adapter.
type SaveOptions struct {
	// Prefix of the tensors' names: the place of the adapted network in its
	// pipeline, such as "transformer" or "unet". "" = the adapter's own.
	Prefix string
	// Weight is what scale 1 of the file stands for: other programs that load the
	// file do at scale s what this one does at weight s·Weight. 0 = the adapter's
	// own, so that they do by default what it was trained to do.
	Weight float64
	// Baked multiplies the whole scale into B, and brings all layers to one rank,
	// for programs that ignore the alpha in the header. It costs a rounding; a
	// file that is not baked comes back from Load bit for bit.
	Baked bool
	// Kohya, where given, asks for the naming of kohya's sd-scripts, which ComfyUI
	// and others read: the layers of the generator, as for Load. The names there
	// have no prefix; the file notes it for Load alone.
	Kohya []Layer
	// Comfy, where given, asks for ComfyUI's own naming in the same way: the layers of
	// the model as first published, after "diffusion_model.", or of Z-Image those of
	// diffusers, which ComfyUI knows as well. ai-toolkit writes it, and diffusers reads it
	// of FLUX and Z-Image. It has no alpha, so the scale is multiplied into B, which costs
	// a rounding.
	Comfy []Layer
}

// Save writes the adapter as a safetensors file in the naming of diffusers,
// <prefix>.<layer>.lora_A.weight and .lora_B.weight in float32, with PEFT's
// settings in the header as diffusers has read them since 0.34; or, with Kohya or Comfy, in
// that of kohya's sd-scripts or of ComfyUI. Files are whole or absent, and equal adapters make
// equal bytes.
func (a *Adapter) Save(path string, o SaveOptions) error {
	list, header, err := a.encode(o)
	if err != nil {
		return fmt.Errorf("lora: save: %w", err)
	}
	if err := safetensors.WriteFile(path, list, header); err != nil {
		return fmt.Errorf("lora: save: %w", err)
	}
	return nil
}

// encode returns what the file holds.
func (a *Adapter) encode(o SaveOptions) ([]safetensors.Tensor, map[string]string, error) {
	if a == nil {
		return nil, nil, errNil
	}
	o.Prefix = cmp.Or(strings.TrimSuffix(o.Prefix, "."), a.prefix, DefaultPrefix)
	o.Weight = cmp.Or(o.Weight, a.weight)
	switch {
	case o.Kohya != nil && o.Comfy != nil:
		return nil, nil, fmt.Errorf("%w: Kohya and Comfy are two namings", ErrConfig)
	case o.Kohya != nil:
		return a.encodeFused(o, o.Kohya, kohyaFile)
	case o.Comfy != nil:
		return a.encodeFused(o, o.Comfy, comfyFile)
	}
	written, original, err := a.forFile(o)
	if err != nil {
		return nil, nil, err
	}
	header, err := metadata(written, original, ownMetadata{Prefix: o.Prefix, Weight: a.weight, One: o.Weight})
	if err != nil {
		return nil, nil, err
	}
	var list []safetensors.Tensor
	for _, p := range written {
		dimsA, dimsB := p.dims()
		name := o.Prefix + "." + p.Name
		list = append(list,
			safetensors.FromFloat32s(name+".lora_A.weight", p.a, dimsA...),
			safetensors.FromFloat32s(name+".lora_B.weight", p.b, dimsB...))
	}
	return list, header, nil
}

// forFile returns the parts with the alphas that the file shall have, and the
// same with the alphas that Load shall give back.
func (a *Adapter) forFile(o SaveOptions) (written, original []part, err error) {
	for _, w := range []float64{a.weight, o.Weight} {
		if err := checkNumber("weight", w); err != nil {
			return nil, nil, err
		}
		if w == 0 {
			return nil, nil, fmt.Errorf("%w: a weight of 0 would make a file that does nothing", ErrConfig)
		}
	}
	rank := 0
	for _, p := range a.parts {
		rank = max(rank, p.rank)
	}
	if o.Baked {
		if err := checkBytes(rank, a.Layers()); err != nil {
			return nil, nil, err
		}
	}
	for _, p := range a.parts {
		if o.Baked || o.Comfy != nil {
			p = p.folded(o.Weight)
			if o.Baked {
				p = p.padded(rank)
			}
			if err := checkFinite(p.b); err != nil {
				return nil, nil, fmt.Errorf("matrix B of layer %q: %w", p.Name, err)
			}
			written = append(written, p)
			p.alpha /= o.Weight
			original = append(original, p)
			continue
		}
		original = append(original, p)
		p.alpha *= o.Weight
		written = append(written, p)
	}
	return written, original, nil
}
