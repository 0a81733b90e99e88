package zimage

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
)

// Tokens of a kind, of the text and of the picture, come in multiples of so many: what
// is missing is filled up with learned ones, to which the others attend.
const multiple = 32

// rounded is a number of tokens filled up.
func rounded(tokens int) int { return (tokens + multiple - 1) / multiple * multiple }

// angles of a position on an axis, in float32 as in the reference.
func (c transformerConfig) angles(axis, position int) []float64 {
	var all []float64
	for k := 0; k < c.Axes[axis]; k += 2 {
		frequency := 1 / math.Pow(c.Theta, float64(k)/float64(c.Axes[axis]))
		all = append(all, float64(float32(float64(position)*frequency)))
	}
	return all
}

// textRotary rotates the tokens of a text, filled up to so many: they are at places 1
// and up.
func (c transformerConfig) textRotary(tokens int) nn.RotaryTable {
	var t nn.RotaryTable
	for k := range tokens {
		t.Add(append(append(c.angles(0, 1+k), c.angles(1, 0)...), c.angles(2, 0)...))
	}
	return t
}

// placeRotary rotates a picture behind a text of 0, 1, 2... multiples of tokens.
func (c transformerConfig) placeRotary(most int) nn.RotaryTable {
	var t nn.RotaryTable
	for k := 0; k <= most; k += multiple {
		t.Add(c.angles(0, k+1))
	}
	return t
}

// gridRotary rotates the rows and columns of a picture.
func (c transformerConfig) gridRotary(rows, cols int) nn.RotaryTable {
	var t nn.RotaryTable
	for row := range rows {
		for col := range cols {
			t.Add(append(c.angles(1, row), c.angles(2, col)...))
		}
	}
	return t
}

// imageRotary rotates the tokens of pictures that are each behind a text, of so many
// multiples of tokens, float32 [B], and at most `most` tokens. What fills up is at 0.
func (c transformerConfig) imageRotary(multiples *Node, most, rows, cols int) nn.Rotary {
	g, tokens, batch := multiples.Graph(), rows*cols, multiples.Shape().Dim(0)
	places, grid := c.placeRotary(most), c.gridRotary(rows, cols).In(g)
	index := InsertAxes(ConvertDType(multiples, dtypes.Int32), -1)
	table := func(places [][]float32, grid *Node, filling float32) *Node {
		place := Gather(Const(g, places), index) // [B, D₀/2]
		half := place.Shape().Dim(1)
		place = BroadcastToDims(Reshape(place, batch, 1, 1, half), batch, tokens, 1, half)
		grid = BroadcastToDims(grid, batch, tokens, 1, grid.Shape().Dim(3))
		x := Concatenate([]*Node{place, grid}, -1)
		if missing := rounded(tokens) - tokens; missing > 0 {
			fill := Reshape(Const(g, filling), 1, 1, 1, 1)
			x = Concatenate([]*Node{x, BroadcastToDims(fill, batch, missing, 1, x.Shape().Dim(3))}, 1)
		}
		return x
	}
	return nn.Rotary{Cos: table(places.Cos, grid.Cos, 1), Sin: table(places.Sin, grid.Sin, 0)}
}
