package decoder

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/dualprocess/dualprocess-go/internal/nn"
)

// rotaries returns the rotary embedding of each layer, made once where layers share it.
func (s *sequence) rotaries(cfg Config) []nn.Rotary {
	positions := s.positions(cfg)
	made := map[Rotary]nn.Rotary{}
	byLayer := make([]nn.Rotary, cfg.Layers)
	for i, r := range cfg.Rotary {
		if _, ok := made[r]; !ok {
			made[r] = cfg.rotary(r, positions)
		}
		byLayer[i] = made[r]
	}
	return byLayer
}

// rotary is a layer's rotary embedding at positions.
func (c Config) rotary(r Rotary, positions *Node) nn.Rotary {
	if c.YaRN != nil {
		a := angles(positions, c.YaRN.stretch(r, c.rotated()), c)
		return nn.Rotary{Cos: MulScalar(Cos(a), c.YaRN.Attention), Sin: MulScalar(Sin(a), c.YaRN.Attention)}
	}
	a := angles(positions, r.frequencies(c.rotated()), c)
	return nn.Rotary{Cos: Cos(a), Sin: Sin(a)}
}

// positions returns the span's positions as float32 [1 or 3, B or 1, S].
func (s *sequence) positions(cfg Config) *Node {
	x, axes := s.in.Positions, max(1, len(cfg.Sections))
	if x == nil {
		x = s.queries
	}
	switch x.Rank() {
	case 1:
		x = InsertAxes(x, 0, 0)
	case 2:
		x = InsertAxes(x, 1)
	}
	d := x.Shape().Dimensions
	if len(d) != 3 || d[0] != 1 && d[0] != axes || d[1] != 1 && d[1] != s.batch() || d[2] != s.length() {
		exceptions.Panicf("decoder: positions are %v, want [%d, %d, %d], with 1 in place of the first two, or without them",
			s.in.Positions.Shape().Dimensions, axes, s.batch(), s.length())
	}
	return ConvertDType(x, dtypes.Float32)
}

// frequencies of the pairs of so many numbers of a head.
func (r Rotary) frequencies(rotated int) []float32 {
	list := make([]float32, rotated/2)
	for k := range list {
		list[k] = float32(math.Pow(r.Theta, -float64(2*k)/float64(rotated)) / r.Factor)
	}
	return list
}

// angles returns position times frequency, [B or 1, S, 1, D/2] in float32. In
// m-rope each axis of the positions has a part of the frequencies.
func angles(positions *Node, frequencies []float32, cfg Config) *Node {
	sections := cfg.Sections
	switch {
	case positions.Shape().Dim(0) == 1 || len(sections) == 0:
		sections = []int{len(frequencies)}
	case cfg.Interleaved:
		return interleaved(positions, frequencies, sections)
	}
	var parts []*Node
	for axis, n := range sections {
		parts = append(parts, along(positions, axis, frequencies[:n]))
		frequencies = frequencies[n:]
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return Concatenate(parts, -1)
}

// along is the positions of one axis times frequencies.
func along(positions *Node, axis int, frequencies []float32) *Node {
	at := Squeeze(Slice(positions, AxisElem(axis)), 0) // [B, S]
	own := Const(positions.Graph(), frequencies)
	return Mul(InsertAxes(at, -1, -1), InsertAxes(own, 0, 0, 0))
}

// interleaved is angles where the axes take turns.
func interleaved(positions *Node, frequencies []float32, sections []int) *Node {
	own := make([][]float32, len(sections)) // per axis, 0 where the frequency is another's
	for axis := range own {
		own[axis] = make([]float32, len(frequencies))
	}
	for k, frequency := range frequencies {
		axis := k % len(sections)
		if k/len(sections) >= sections[axis] {
			axis = 0
		}
		own[axis][k] = frequency
	}
	sum := along(positions, 0, own[0])
	for axis := 1; axis < len(own); axis++ {
		sum = Add(sum, along(positions, axis, own[axis])) // of which all but one are 0
	}
	return sum
}
