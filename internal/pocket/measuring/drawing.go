package measuring

import (
	"math"

	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
)

// Thresholds of what counts as ink.
const (
	inkFaint   = .15 // share of full ink below which a pixel is paper
	inkLeast   = .60 // share of its nominal darkness below which a drawing's ink is faded
	inkDensest = .98 // quantile that stands for a drawing's full ink
	paperNoise = 3.  // median gradient of noise times this is not a stroke
)

// inkMask returns how much ink every pixel has, in [0,1], and how dark the
// drawing's full ink is in shares of the nominal ink of its hue.
func inkMask(p *world.Picture) (mask []float64, strength float64) {
	n := p.Size
	var border []world.RGB
	for i := 0; i < n; i++ {
		border = append(border, p.At(i, 0), p.At(i, n-1), p.At(0, i), p.At(n-1, i))
	}
	sheet := medianColour(border)
	ink := likelyInk(p, sheet)
	mask = make([]float64, n*n)
	for i := range mask {
		mask[i] = world.RGB(p.Pix[3*i:3*i+3]).Along(sheet, ink)
	}
	strength = inkLevel(mask)
	level := math.Max(strength, inkLeast)
	for i, v := range mask {
		mask[i] = world.Clamp(v / level)
	}
	return mask, strength
}

// inkLevel is the share of ink in a drawing's darkest pixels: a quantile of
// those that are not paper.
func inkLevel(mask []float64) float64 {
	var dark []float64
	for _, v := range mask {
		if v > 2*inkFaint {
			dark = append(dark, v)
		}
	}
	return quantile(dark, inkDensest)
}

// likelyInk returns the nominal ink in whose direction from the paper the
// picture's pixels lie.
func likelyInk(p *world.Picture, sheet world.RGB) world.RGB {
	best, bestFit := world.RGB{}, -1.
	for _, name := range world.Inks {
		ink := world.InkColour(name)
		direction := ink.Sub(sheet)
		fit := 0.
		for i := 0; i < len(p.Pix); i += 3 {
			d := world.RGB(p.Pix[i : i+3]).Sub(sheet)
			// The cosine to this ink, weighted by how far the pixel is from paper.
			if l := d.Norm(); l > inkFaint {
				c := d.Dot(direction) / direction.Norm() / l
				fit += l * c * c * c * c
			}
		}
		if fit > bestFit {
			best, bestFit = ink, fit
		}
	}
	return best
}

// StrokeWidth returns the mean stroke width of a drawing in pixels of a 64
// pixel picture: its area over its length, where the length is half of the
// total variation, each place weighed by the ridge next to it so that thin and
// blurred strokes count in full. It is 0 for empty paper.
func StrokeWidth(p *world.Picture) float64 {
	p = p.Resized(measured)
	mask, _ := inkMask(p)
	return strokeWidth(mask, p.Size)
}

func strokeWidth(mask []float64, n int) float64 {
	slope := gradients(mask, n)
	noise := paperNoise * quantile(append([]float64(nil), slope...), .5)
	noise = math.Min(noise, .3)
	area, length := 0., 0.
	for row := 1; row < n-2; row++ {
		for column := 1; column < n-2; column++ {
			i := row*n + column
			ridge := peak(mask, n, column, row)
			if ridge < 2*inkFaint {
				continue
			}
			if mask[i] > inkFaint {
				area += mask[i]
			}
			if g := slope[i]; g > noise {
				length += g / (2 * ridge)
			}
		}
	}
	if length < 3 { // pixels: shorter than any drawing
		return 0
	}
	return area / length
}

// gradients returns the slope of the bilinear surface in the middle of every
// cell of four pixels, at the cell's upper left pixel.
func gradients(mask []float64, n int) []float64 {
	out := make([]float64, n*n)
	for row := 0; row < n-1; row++ {
		for column := 0; column < n-1; column++ {
			i := row*n + column
			a, b, c, d := mask[i], mask[i+1], mask[i+n], mask[i+n+1]
			out[i] = math.Hypot(b+d-a-c, c+d-a-b) / 2
		}
	}
	return out
}

// peak is the most ink within two pixels of a cell.
func peak(mask []float64, n, column, row int) float64 {
	most := 0.
	for y := max(0, row-1); y <= min(n-1, row+2); y++ {
		for x := max(0, column-1); x <= min(n-1, column+2); x++ {
			most = math.Max(most, mask[y*n+x])
		}
	}
	return most
}
