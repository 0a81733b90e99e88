package show

import (
	"image"

	"github.com/dualprocess/dualprocess-go/internal/pocket/measuring"
	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
)

// The gauges of this file tell of palettes, those of package overlay by their names:
// dark academia, pastel and retro.

// PaletteDistance measures how far a picture's colours are from those of a palette, in
// units that people can just not tell apart (CIELAB): about 35 for drawn scenes in their
// own colours, 3 for those in the palette's.
func PaletteDistance(name string) Gauge {
	return Gauge{Name: "palette distance", Less: true, Paints: true, Tolerance: 1, Half: 15, Of: func(p image.Image, _ string) float64 {
		return measuring.PaletteDistance(world.FromImage(p), name)
	}}
}

// NearestPalette tells whether a palette is nearer than the others.
func NearestPalette(name string) Gauge {
	return Gauge{Name: "nearest palette", Share: true, Tolerance: .05, Of: func(p image.Image, _ string) float64 {
		picture := world.FromImage(p)
		own := measuring.PaletteDistance(picture, name)
		for _, other := range world.PaletteNames {
			if other != name && measuring.PaletteDistance(picture, other) <= own {
				return 0
			}
		}
		return 1
	}}
}

// Structure measures how much of what a picture showed before it still shows, whatever
// its colours: 1 for all of it, about .9 for drawn scenes in a palette's colours, below .4
// for other scenes.
func Structure() Gauge {
	return Gauge{Name: "structure", Tolerance: .25, OfPair: structure}
}

// StructureKept tells whether a picture still shows what it did, whatever its colours: it
// is Subject for pictures that shall change them.
func StructureKept() Gauge {
	return Gauge{Name: "subject there", Share: true, Tolerance: .05, OfPair: func(before, p image.Image, prompt string) float64 {
		return truth(structure(before, p, prompt) >= measuring.StructureKept)
	}}
}

func structure(before, p image.Image, _ string) float64 {
	return measuring.Structure(world.FromImage(before), world.FromImage(p))
}
