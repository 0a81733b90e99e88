package measuring

import (
	"math"

	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
)

// StructureKept is the structure from which a picture still shows what it showed.
const StructureKept = .6

// How edges are compared.
const (
	edgeClear   = .94 // quantile of a picture's edges, of lightness or hue, that is a clear one
	edgeFaint   = 1.  // least distance in CIELAB that is one: less cannot be seen
	edgeBlurred = 1   // px by which an edge may be somewhere else
)

// Structure tells whether what one picture shows is still there in another, of the
// same prompt and seed, whatever its colours: the correlation of both pictures' edges,
// in [0,1]. It is 1 for equal pictures, and about .9 where all colours have become
// those of a palette; scenes of different kinds are below .4, and a flat picture has
// nothing of any.
func Structure(before, after *world.Picture) float64 {
	return correlation(edgeMap(before.Resized(measured)), edgeMap(after.Resized(measured)))
}

// edgeMap tells how clear the edge at each pixel is, in [0,1], or the clearest nearby.
// Edges are of lightness or of hue, each measured by the picture's own clear ones:
// palettes change what parts a thing from what is behind it.
func edgeMap(p *world.Picture) []float64 {
	n := p.Size
	labs := make([]world.Lab, n*n)
	for i := range labs {
		labs[i] = world.RGB(p.Pix[3*i : 3*i+3]).Lab()
	}
	light, hue := make([]float64, n*n), make([]float64, n*n)
	for i := range labs {
		right, below := labs[i], labs[i]
		if i%n < n-1 {
			right = labs[i+1]
		}
		if i/n < n-1 {
			below = labs[i+n]
		}
		a, b := slope(labs[i], right), slope(labs[i], below)
		light[i], hue[i] = math.Hypot(a[0], b[0]), math.Hypot(math.Hypot(a[1], a[2]), math.Hypot(b[1], b[2]))
	}
	clearness(light)
	clearness(hue)
	for i, v := range hue {
		light[i] = math.Max(light[i], v)
	}
	return widened(light, n, edgeBlurred)
}

func slope(a, b world.Lab) world.Lab { return world.Lab{b[0] - a[0], b[1] - a[1], b[2] - a[2]} }

// clearness turns edges into shares of clear ones: a half for one of those, much less
// for fainter ones, and never more than 1.
func clearness(edges []float64) {
	clear := math.Max(edgeFaint, quantile(append([]float64(nil), edges...), edgeClear))
	for i, v := range edges {
		edges[i] = v * v / (v*v + clear*clear)
	}
}

// widened returns the largest value within a reach of every pixel.
func widened(values []float64, n, reach int) []float64 {
	out := make([]float64, len(values))
	for i := range out {
		for row := max(0, i/n-reach); row <= min(n-1, i/n+reach); row++ {
			for column := max(0, i%n-reach); column <= min(n-1, i%n+reach); column++ {
				out[i] = math.Max(out[i], values[row*n+column])
			}
		}
	}
	return out
}

// correlation is Pearson's, or 0 where it is negative or either has no variance.
func correlation(a, b []float64) float64 {
	meanA, meanB := mean(a), mean(b)
	both, squaresA, squaresB := 0., 0., 0.
	for i := range a {
		u, v := a[i]-meanA, b[i]-meanB
		both, squaresA, squaresB = both+u*v, squaresA+u*u, squaresB+v*v
	}
	if squaresA == 0 || squaresB == 0 {
		return 0
	}
	return math.Max(0, both/math.Sqrt(squaresA*squaresB))
}
