package vision

import (
	"math"
	"sort"
)

// Places are those of the patches of a picture on a square grid of learnt positions,
// side by side, row by row. rows and columns are the Buckets of its edges.
func Places(rows, columns []int32, side int) []int32 {
	places := make([]int32, 0, len(rows)*len(columns))
	for _, row := range rows {
		for _, column := range columns {
			places = append(places, row*int32(side)+column)
		}
	}
	return places
}

// Buckets lays the patches along one edge over side learnt positions. fractions say
// where on the edge, from 0 to 1, each patch begins. Where a fraction is a border of
// two positions, float32 decides, so this follows torch's bucketize step by step.
func Buckets(fractions []float32, side int) []int32 {
	borders := Arange(1/float64(side), 1, 1/float64(side))
	places := make([]int32, len(fractions))
	for i, at := range fractions {
		places[i] = int32(sort.Search(len(borders), func(k int) bool { return borders[k] > at }))
	}
	return places
}

// Arange is torch.arange in float32, to the last bit: two vectors of 8 at a time
// count on from a rounded start, and what is left over is counted from the very
// beginning.
// The conversions keep Go from fusing products and sums.
// Source: torch v2.9.1, RangeFactoriesKernel.cpp, for AVX2 (there is none for
// AVX512).
func Arange(start, end, step float64) []float32 {
	const lanes = 8
	values := make([]float32, int(math.Ceil((end-start)/step)))
	vectors := len(values) / (2 * lanes) * 2
	for i := range values {
		if i < vectors*lanes {
			base := float64(float32(start + float64(step*float64(i/lanes*lanes))))
			values[i] = float32(base + float64(step*float64(i%lanes)))
		} else {
			values[i] = float32(start + float64(step*float64(i)))
		}
	}
	return values
}
