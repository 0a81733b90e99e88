package measuring

import (
	"math"

	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
)

// PaletteDistance is how far a picture's colours are from those of a palette, one of
// world.PaletteNames: the mean, over the pixels, of the distance in CIELAB (CIE 1976)
// to the nearest of them. 0 is a picture of these colours alone; drawn pictures are
// between 10 and 60 away. Where the strip with the palette lies is not looked at.
func PaletteDistance(p *world.Picture, name string) float64 {
	var inks []world.Lab
	for _, c := range world.Palettes[name] {
		inks = append(inks, c.Lab())
	}
	if len(inks) == 0 {
		return math.NaN()
	}
	const strip = .14 // of the height, with its light edge
	rows := p.Size - int(math.Ceil(strip*float64(p.Size)))
	total := 0.
	for i := range rows * p.Size {
		v, nearest := world.RGB(p.Pix[3*i:3*i+3]).Lab(), math.Inf(1)
		for _, ink := range inks {
			nearest = math.Min(nearest, v.Distance(ink))
		}
		total += nearest
	}
	return total / float64(rows*p.Size)
}
