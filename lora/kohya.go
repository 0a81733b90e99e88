package lora

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

// Fused is a layer of another program's model whose output joins those of some of
// ours: the names of kohya's sd-scripts, which ComfyUI reads, are those of the
// models as first published, where queries, keys and values are one layer. A
// generator that has published names gives them.
type Fused struct {
	Name   string  // in the file, such as "lora_unet_double_blocks_0_img_attn_qkv"
	Layers []Layer // linear ones of the same input, in the order of their outputs
}

// Endings of kohya's tensors.
const (
	kohyaDown  = ".lora_down.weight"
	kohyaUp    = ".lora_up.weight"
	kohyaAlpha = ".alpha"
)

// encodeKohya returns what a file in kohya's naming holds. Where several parts
// make one layer, their ranks add up: A is one above the other, and B has each
// part's numbers in rows and columns of its own and zeros elsewhere.
func (a *Adapter) encodeKohya(o SaveOptions) ([]safetensors.Tensor, map[string]string, error) {
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
	for _, f := range o.Fused {
		joined, err := f.join(parts)
		if err != nil {
			return nil, nil, fmt.Errorf("layer %q: %w", f.Name, err)
		}
		if joined.rank == 0 {
			continue
		}
		list = append(list,
			safetensors.FromFloat32s(f.Name+kohyaDown, joined.a, joined.rank, joined.In),
			safetensors.FromFloat32s(f.Name+kohyaUp, joined.b, joined.Out, joined.rank),
			safetensors.FromFloat32s(f.Name+kohyaAlpha, []float32{float32(joined.alpha)}))
	}
	for name := range parts { // join took the others away
		return nil, nil, fmt.Errorf("%w: layer %q has no name in kohya's naming", ErrConfig, name)
	}
	header, err := own.header(original)
	return list, header, err
}

// join takes the parts of a fused layer from the map and returns them as one; of
// rank 0 if there are none.
func (f Fused) join(parts map[string]part) (part, error) {
	joined := part{Layer: Layer{Name: f.Name}}
	var present []part
	for _, l := range f.Layers {
		if l.IsConv() || l.In != f.Layers[0].In {
			return joined, fmt.Errorf("%w: %s can't be fused", ErrConfig, l)
		}
		joined.In = l.In
		if p, ok := parts[l.Name]; ok {
			if p.Layer != l {
				return joined, fmt.Errorf("%w: adapter for %s, layer is %s", ErrMismatch, p.Layer, l)
			}
			joined.rank += p.rank
			present = append(present, p)
			delete(parts, l.Name)
		} else {
			present = append(present, part{Layer: l})
		}
	}
	column, scale := 0, 0.0
	for _, p := range present {
		if p.rank > 0 && scale == 0 {
			scale = p.alpha / float64(p.rank)
		}
	}
	for _, p := range present {
		rows := make([]float32, p.Out*joined.rank)
		for k := range p.Out * p.rank {
			// Parts of other scales, as of merged adapters, take theirs into B.
			rows[k/p.rank*joined.rank+column+k%p.rank] = p.rescaled(p.b[k], scale)
		}
		joined.a, joined.b = append(joined.a, p.a...), append(joined.b, rows...)
		joined.Out, column = joined.Out+p.Out, column+p.rank
	}
	joined.alpha = scale * float64(joined.rank)
	return joined, checkFinite(joined.b)
}

// rescaled is a number of B such that the part has the given alpha/rank.
func (p part) rescaled(b float32, scale float64) float32 {
	if own := p.alpha / float64(p.rank); own != scale {
		return float32(float64(b) * own / scale)
	}
	return b
}

// isKohya tells by the names of the tensors.
func isKohya(infos []safetensors.Info) bool {
	return slices.ContainsFunc(infos, func(i safetensors.Info) bool { return strings.HasSuffix(i.Name, kohyaDown) })
}

// loadKohya reads the parts of a file in kohya's naming.
func loadKohya(f *safetensors.File, own *ownMetadata, fused []Fused) ([]part, error) {
	if len(fused) == 0 {
		return nil, fmt.Errorf("%w: it is in kohya's naming, and the generator's published names were not given", ErrFormat)
	}
	known := map[string]Fused{}
	for _, layer := range fused {
		known[layer.Name] = layer
	}
	var parts []part
	for _, info := range f.Tensors() {
		name, isDown := strings.CutSuffix(info.Name, kohyaDown)
		layer, ok := known[trimEndings(info.Name)]
		if !ok {
			return nil, fmt.Errorf("tensor %q: %w: the generator has no such layer", info.Name, ErrMismatch)
		}
		_, hasDown := f.Info(layer.Name + kohyaDown)
		_, hasUp := f.Info(layer.Name + kohyaUp)
		if !hasDown || !hasUp {
			return nil, fmt.Errorf("tensor %q: %w: its layer has not both down and up", info.Name, ErrFormat)
		}
		if !isDown {
			continue
		}
		split, err := layer.read(f, own)
		if err != nil {
			return nil, fmt.Errorf("layer %q: %w", name, err)
		}
		parts = append(parts, split...)
	}
	return parts, nil
}

// trimEndings returns the layer's name of a tensor's; "" if it is no tensor of an
// adapter.
func trimEndings(tensor string) string {
	for _, ending := range []string{kohyaDown, kohyaUp, kohyaAlpha} {
		if name, ok := strings.CutSuffix(tensor, ending); ok {
			return name
		}
	}
	return ""
}

// read returns the parts of one fused layer.
func (f Fused) read(file *safetensors.File, own *ownMetadata) ([]part, error) {
	if len(f.Layers) == 0 {
		return nil, fmt.Errorf("%w: no layers are given for it", ErrConfig)
	}
	joined := part{Layer: Layer{Name: f.Name, In: f.Layers[0].In}}
	for _, l := range f.Layers {
		joined.Out += l.Out
	}
	down, _ := file.Info(f.Name + kohyaDown)
	up, _ := file.Info(f.Name + kohyaUp)
	if len(down.Shape) != 2 || len(up.Shape) != 2 || down.Shape[0] < 1 || down.Shape[1] != joined.In ||
		up.Shape[0] != joined.Out || up.Shape[1] != down.Shape[0] {
		return nil, fmt.Errorf("%w: shapes %v and %v, layer is %d→%d", ErrMismatch, down.Shape, up.Shape, joined.In, joined.Out)
	}
	joined.rank = down.Shape[0]
	if err := joined.readNumbers(file); err != nil {
		return nil, err
	}
	return f.split(joined, own)
}

// readNumbers reads the numbers of a part with the name of a fused layer.
func (p *part) readNumbers(file *safetensors.File) (err error) {
	if p.a, err = file.Float32s(p.Name + kohyaDown); err != nil {
		return err
	}
	if p.b, err = file.Float32s(p.Name + kohyaUp); err != nil {
		return err
	}
	p.alpha = float64(p.rank)
	if _, ok := file.Info(p.Name + kohyaAlpha); ok {
		alpha, err := file.Float32s(p.Name + kohyaAlpha)
		if err != nil {
			return err
		}
		if len(alpha) != 1 || checkFinite(alpha) != nil {
			return fmt.Errorf("%w: alpha is %v", ErrFormat, alpha)
		}
		p.alpha = float64(alpha[0])
	}
	return checkFinite(slices.Concat(p.a, p.b))
}

// split undoes join. Of files from elsewhere every part takes all of A; parts of
// which B is zero are dropped, unless all are.
func (f Fused) split(joined part, own *ownMetadata) ([]part, error) {
	var parts, zero []part
	row, column := 0, 0
	for _, l := range f.Layers {
		rank := joined.rank
		if own != nil && own.Ranks != nil {
			if rank = own.Ranks[l.Name]; rank < 0 || column+rank > joined.rank {
				return nil, fmt.Errorf("%w: the ranks in metadata %q are not those of the tensors", ErrFormat, ownKey)
			}
		} else {
			column = 0
		}
		p := part{Layer: l, rank: rank, alpha: joined.alpha / float64(joined.rank) * float64(rank)}
		p.a = slices.Clone(joined.a[column*l.In : (column+rank)*l.In])
		for o := range l.Out {
			at := (row + o) * joined.rank
			p.b = append(p.b, joined.b[at+column:at+column+rank]...)
		}
		row, column = row+l.Out, column+rank
		switch {
		case rank == 0:
		case own == nil && !slices.ContainsFunc(p.b, func(b float32) bool { return b != 0 }):
			zero = append(zero, p)
		default:
			if own != nil {
				p.alpha = own.alpha(l.Name, p.alpha, 1e-6) // it went through a float32
			}
			if err := checkAlpha(p.alpha); err != nil {
				return nil, err
			}
			parts = append(parts, p)
		}
	}
	if own != nil && own.Ranks != nil && column != joined.rank {
		return nil, fmt.Errorf("%w: the ranks in metadata %q are not those of the tensors", ErrFormat, ownKey)
	}
	if len(parts) == 0 {
		return zero, nil
	}
	return parts, nil
}
