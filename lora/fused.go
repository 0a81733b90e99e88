package lora

import (
	"fmt"
	"slices"
)

// fused is a module of a file, whose output joins those of some of our layers: the
// models as first published have queries, keys and values in one layer.
type fused struct {
	name   string  // in the file, such as "lora_unet_double_blocks_0_img_attn_qkv"
	layers []Layer // of the same input, in the order of their outputs; none if nobody can tell
	// swapped says that the halves of the output are the other way round: a
	// modulation's shift and scale.
	swapped bool
}

// alone is a layer under another name.
func alone(name string, l Layer) fused { return fused{name: name, layers: []Layer{l}} }

func (f fused) same(g fused) bool { return slices.Equal(f.layers, g.layers) && f.swapped == g.swapped }

// layer is the layer that the module is.
func (f fused) layer() (Layer, error) {
	if len(f.layers) == 0 {
		return Layer{}, fmt.Errorf("%w: several layers have this name", ErrMismatch)
	}
	joined := Layer{Name: f.name, In: f.layers[0].In, Kernel: f.layers[0].Kernel}
	for _, l := range f.layers {
		if l.In != joined.In || len(f.layers) > 1 && l.IsConv() {
			return Layer{}, fmt.Errorf("%w: %s can't be a part of it", ErrMismatch, l)
		}
		joined.Out += l.Out
	}
	if f.swapped && joined.Out%2 != 0 {
		return Layer{}, fmt.Errorf("%w: %s has no halves", ErrMismatch, joined)
	}
	return joined, nil
}

// spreads tells a convolution that looks at more than one pixel.
func (l Layer) spreads() bool { return max(l.Kernel[0], l.Kernel[1]) > 1 }

// split reads a module as the parts of its layers.
func (r *reader) split(e *entry, f fused) ([]part, error) {
	want, err := f.layer()
	if err != nil {
		return nil, err
	}
	p, err := shapeOf(e)
	if err != nil {
		return nil, err
	}
	if !p.spreads() && !want.spreads() {
		p.Kernel = want.Kernel // some programs write a convolution of 1×1 as a matrix, and others the other way
	}
	if p.Layer != want {
		return nil, fmt.Errorf("%w: adapter for %s, layer is %s", ErrMismatch, p.Layer, want)
	}
	if err := r.readNumbers(e, &p); err != nil {
		return nil, err
	}
	if p.alpha, err = r.alpha(e, p); err != nil {
		return nil, err
	}
	if f.swapped {
		p.b = swapHalves(p.b)
	}
	if r.own != nil && r.own.Ranks != nil {
		return f.unjoin(p, r.own)
	}
	return f.share(p)
}

// swapHalves returns B with the second half of the outputs first.
func swapHalves(b []float32) []float32 {
	half := len(b) / 2
	return slices.Concat(b[half:], b[:half])
}

// share gives every layer all of A and its rows of B: a module from elsewhere may
// mix them as it likes. Layers whose B is zero are dropped, unless all are.
func (f fused) share(joined part) ([]part, error) {
	var parts, zero []part
	row := 0
	for _, l := range f.layers {
		p := joined
		p.Layer, p.a = l, slices.Clone(joined.a)
		p.b = slices.Clone(joined.b[row*p.rank : (row+l.Out)*p.rank])
		row += l.Out
		if slices.ContainsFunc(p.b, func(b float32) bool { return b != 0 }) {
			parts = append(parts, p)
		} else {
			zero = append(zero, p)
		}
	}
	if len(parts) == 0 {
		return zero, nil
	}
	return parts, nil
}

// unjoin undoes join, by the ranks that it noted.
func (f fused) unjoin(joined part, own *ownMetadata) ([]part, error) {
	wrong := fmt.Errorf("%w: the ranks in metadata %q are not those of the tensors", ErrFormat, ownKey)
	var parts []part
	row, column := 0, 0
	for _, l := range f.layers {
		rank := own.Ranks[l.Name]
		if rank < 0 || rank > joined.rank-column {
			return nil, wrong
		}
		if rank > 0 {
			p := joined.block(l, rank, row, column)
			p.alpha = own.alpha(l.Name, p.alpha, 1e-6) // it went through a float32
			if err := checkAlpha(p.alpha); err != nil {
				return nil, err
			}
			parts = append(parts, p)
		}
		row, column = row+l.Out, column+rank
	}
	if column != joined.rank {
		return nil, wrong
	}
	return parts, nil
}

// block is the part of one layer in a fused one: its columns of A's rank, and of B
// what is in its rows and columns.
func (p part) block(l Layer, rank, row, column int) part {
	out := part{Layer: l, rank: rank, alpha: p.alpha / float64(p.rank) * float64(rank)}
	out.a = slices.Clone(p.a[column*l.fanIn() : (column+rank)*l.fanIn()])
	for o := range l.Out {
		at := (row + o) * p.rank
		out.b = append(out.b, p.b[at+column:at+column+rank]...)
	}
	return out
}

// join returns the parts of a fused layer as one, whose ranks add up: A is one above
// the other, and B has each part's numbers in rows and columns of its own and zeros
// elsewhere. Its rank is 0 if there are no parts.
func (f fused) join(parts map[string]part) (part, error) {
	layer, err := f.layer()
	if err != nil {
		return part{}, err
	}
	joined := part{Layer: layer}
	scale := 0.0
	for _, l := range f.layers {
		if p, ok := parts[l.Name]; ok {
			joined.rank += p.rank
			if scale == 0 {
				scale = p.alpha / float64(p.rank)
			}
		}
	}
	column := 0
	for _, l := range f.layers {
		p, ok := parts[l.Name]
		if !ok {
			p = part{Layer: l}
		}
		rows := make([]float32, p.Out*joined.rank)
		for k := range p.Out * p.rank {
			// Parts of other scales, as of merged adapters, take theirs into B.
			rows[k/p.rank*joined.rank+column+k%p.rank] = p.rescaled(p.b[k], scale)
		}
		joined.a, joined.b = append(joined.a, p.a...), append(joined.b, rows...)
		column += p.rank
	}
	if f.swapped {
		joined.b = swapHalves(joined.b)
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
