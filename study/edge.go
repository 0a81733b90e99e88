package study

import (
	"image"
	"math"
)

// edgeSeen is the least contrast of what LevelEdge takes for a horizon: the distance of
// the mean colours above and below, of √3 at most.
const edgeSeen = 0.05

// LevelEdge finds the row that parts a picture best into two flat colours, by least
// squares over the rows' mean colours, as a share of the height from the top. It is a
// horizon in plain landscapes, and no stand-in for the paper's Perspective Fields, which
// see perspective: give Horizon.Locate a better measurement where there is one.
func LevelEdge(img image.Image) (row float64, found bool) {
	rows := rowMeans(img)
	n := len(rows)
	total := [3]float64{}
	for _, r := range rows {
		total = plus(total, r, 1)
	}
	above, best, contrast := [3]float64{}, -1., 0.
	for k := 1; k < n; k++ {
		above = plus(above, rows[k-1], 1)
		gap := 0. // squared distance of the means; the squares explained are in proportion
		for c := range above {
			d := above[c]/float64(k) - (total[c]-above[c])/float64(n-k)
			gap += d * d
		}
		if explained := gap * float64(k) * float64(n-k); explained > best {
			best, contrast, row = explained, math.Sqrt(gap), float64(k)/float64(n)
		}
	}
	return row, contrast >= edgeSeen
}

// rowMeans are the mean colours of the rows, channels in [0, 1].
func rowMeans(img image.Image) [][3]float64 {
	r := img.Bounds()
	rows := make([][3]float64, r.Dy())
	for y := range rows {
		for x := r.Min.X; x < r.Max.X; x++ {
			red, green, blue, _ := img.At(x, r.Min.Y+y).RGBA()
			rows[y] = plus(rows[y], [3]float64{float64(red), float64(green), float64(blue)}, 1/(0xffff*float64(r.Dx())))
		}
	}
	return rows
}

func plus(a, b [3]float64, factor float64) [3]float64 {
	for c := range a {
		a[c] += factor * b[c]
	}
	return a
}
