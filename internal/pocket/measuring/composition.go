package measuring

import (
	"math"

	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
)

// What trees and fields of landscapes are found by.
const (
	crownNear   = .45 // share of the way from leaves to their row's colour within which a pixel is leaves
	crownLeast  = 30  // px of 64x64: the smallest crown
	crownRows   = .34 // of the height, down to which a tree may reach where the horizon is higher
	fieldNear   = .40 // distance, in distances of field and ground, off the line between both
	fieldLeast  = 12  // px of 64x64: the smallest field
	horizonEdge = 1   // rows below the horizon that its waves may reach
	boxShare    = .01 // quantile of a field's pixels that is a side of its box
)

// TreeColumn returns the column, in [0,1], of the tree in a landscape with a caption:
// that of its crown, which stands before the sky. It is false if no crown is there.
func TreeColumn(p *world.Picture, caption world.Scene) (x float64, ok bool) {
	p = p.Resized(measured)
	horizon, _ := Horizon(p)
	p = smoothed(p)
	rows, mask := rowMedians(p), make([]bool, measured*measured)
	shade, light := world.Crown(caption.Time)
	for row := range int(math.Max(horizon, crownRows) * measured) {
		for column := range measured {
			v := p.At(column, row)
			leaves := segmentDistance(v, shade, light)
			mask[row*measured+column] = leaves < crownNear*rows[row].Sub(shade).Norm()
		}
	}
	blob := largestBlob(mask)
	if len(blob) < crownLeast {
		return 0, false
	}
	var columns []float64
	for _, k := range blob {
		columns = append(columns, (float64(k%measured)+.5)/measured)
	}
	return mean(columns), true
}

// FieldBox returns where the field of a landscape with a caption lies, by the colours
// of fields and of the ground. It is false if there is none.
func FieldBox(p *world.Picture, caption world.Scene) (box world.Box, ok bool) {
	p = p.Resized(measured)
	horizon, _ := Horizon(p)
	field, mask := world.FieldColour(caption.Time), make([]bool, measured*measured)
	for row := int(horizon*measured) + horizonEdge; row < measured; row++ {
		ground := world.Ground(caption.Place, caption.Time, (float64(row)+.5)/measured, horizon)
		apart := field.Sub(ground).Norm()
		for column := range measured {
			v := p.At(column, row)
			mask[row*measured+column] = v.Along(ground, field) > .5 && segmentDistance(v, ground, field) < fieldNear*apart
		}
	}
	blob := largestBlob(mask)
	if len(blob) < fieldLeast {
		return world.Box{}, false
	}
	var columns, rows []float64
	for _, k := range blob {
		columns, rows = append(columns, float64(k%measured)), append(rows, float64(k/measured))
	}
	return world.Box{
		Left: quantile(columns, boxShare) / measured, Right: (quantile(columns, 1-boxShare) + 1) / measured,
		Top: quantile(rows, boxShare) / measured, Bottom: (quantile(rows, 1-boxShare) + 1) / measured,
	}, true
}

// smoothed averages over boxes of 3x3 pixels, against noise.
func smoothed(p *world.Picture) *world.Picture {
	out, last := world.NewPicture(p.Size), p.Size-1
	for row := range p.Size {
		for column := range p.Size {
			var sum world.RGB
			for i := range 9 {
				sum = sum.Add(p.At(min(max(column+i%3-1, 0), last), min(max(row+i/3-1, 0), last)))
			}
			out.Set(column, row, sum.Scale(1./9))
		}
	}
	return out
}
