package lora

import (
	"fmt"
	"math"
	"slices"
)

// Scale returns the adapter with its effect multiplied by factor, exactly: it is
// the alphas that change. It is an error if factor is not finite.
func (a *Adapter) Scale(factor float64) (*Adapter, error) {
	if a == nil {
		return nil, fmt.Errorf("lora: scale: %w", errNil)
	}
	if err := checkNumber("factor", factor); err != nil {
		return nil, fmt.Errorf("lora: scale: %w", err)
	}
	out := &Adapter{a.weight, a.prefix, slices.Clone(a.parts), a.skipped}
	for i := range out.parts {
		out.parts[i].alpha *= factor
	}
	return out, nil
}

// Merge returns one adapter that adds at weight 1 what the adapters together add
// at their weights: the i-th at weights[i]. Ranks add up, layer by layer, so the
// sum is exact but for float32's rounding of the factors into B; layers that only
// some of the adapters have are kept. The result's own weight is 1. Adapters of
// different prefixes are an error that wraps ErrMismatch; a nil one, or a weight
// that is not finite, wraps ErrConfig.
func Merge(weights []float64, adapters ...*Adapter) (*Adapter, error) {
	if len(adapters) == 0 || len(weights) != len(adapters) {
		return nil, fmt.Errorf("lora: merge: %w: %d weights for %d adapters", ErrConfig, len(weights), len(adapters))
	}
	merged := map[string]part{}
	for i, a := range adapters {
		if err := a.mergeInto(merged, weights[i], adapters[0]); err != nil {
			return nil, fmt.Errorf("lora: merge: adapter %d: %w", i, err)
		}
	}
	out := &Adapter{weight: 1, prefix: adapters[0].prefix}
	for _, p := range merged {
		out.parts = append(out.parts, p)
	}
	sortParts(out.parts)
	return out, nil
}

// mergeInto adds the adapter's parts at a weight to those that are merged already,
// beginning with the first adapter's.
func (a *Adapter) mergeInto(merged map[string]part, weight float64, first *Adapter) error {
	if a == nil {
		return errNil
	}
	if err := checkNumber("weight", weight); err != nil {
		return err
	}
	if a.prefix != first.prefix {
		return fmt.Errorf("%w: its prefix is %q, that of the first is %q", ErrMismatch, a.prefix, first.prefix)
	}
	for _, p := range a.parts {
		p = p.folded(weight)
		if other, ok := merged[p.Name]; ok {
			if other.Layer != p.Layer {
				return fmt.Errorf("%w: %s, in another adapter %s", ErrMismatch, p.Layer, other.Layer)
			}
			p = other.concatenated(p)
		}
		if err := checkFinite(p.b); err != nil {
			return fmt.Errorf("layer %q: B: %w", p.Name, err)
		}
		merged[p.Name] = p
	}
	return nil
}

// folded returns the part with weight · alpha/rank multiplied into B, so that
// its own scale is 1.
func (p part) folded(weight float64) part {
	factor := weight * p.alpha / float64(p.rank)
	b := make([]float32, len(p.b))
	for i, v := range p.b {
		b[i] = float32(factor * float64(v))
	}
	p.b, p.alpha = b, float64(p.rank)
	return p
}

// concatenated returns one part for the sum of two whose scale is 1: A's rows
// below each other, B's columns beside each other.
func (p part) concatenated(q part) part {
	b := make([]float32, 0, len(p.b)+len(q.b))
	for o := range p.Out {
		b = append(b, p.b[o*p.rank:(o+1)*p.rank]...)
		b = append(b, q.b[o*q.rank:(o+1)*q.rank]...)
	}
	p.a, p.b = slices.Concat(p.a, q.a), b
	p.rank += q.rank
	p.alpha = float64(p.rank)
	return p
}

// padded returns the part with zeros for the ranks that it lacks; its scale
// must be 1.
func (p part) padded(rank int) part {
	return p.concatenated(part{
		Layer: p.Layer, rank: rank - p.rank,
		a: make([]float32, (rank-p.rank)*p.fanIn()), b: make([]float32, p.Out*(rank-p.rank)),
	})
}

func checkNumber(what string, v float64) error {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Errorf("%w: %s %v", ErrConfig, what, v)
	}
	return nil
}
