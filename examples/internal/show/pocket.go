package show

import (
	"image"
	"math"

	"github.com/dualprocess/dualprocess-go/internal/pocket/measuring"
	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
)

// The gauges of this file measure the pocket world by package measuring, without a
// model. Prompts are its captions; what depends on a prompt that is none cannot be
// told.

// captioned makes a gauge of what needs to know the caption. A family other than
// those that it is for cannot be told.
func captioned(g Gauge, of func(p *world.Picture, caption world.Scene) float64, families ...world.Family) Gauge {
	g.Of = func(p image.Image, prompt string) float64 {
		caption, err := world.Parse(prompt)
		if err != nil {
			return math.NaN()
		}
		for _, f := range families {
			if caption.Family == f {
				return of(world.FromImage(p), caption)
			}
		}
		return math.NaN()
	}
	return g
}

// Subject tells whether a picture still shows what its caption names: a landscape
// in its colours, a readable drawing of the right thing, both objects, the lake, the
// lamp, the tree, the house.
func Subject() Gauge {
	g := Gauge{Name: "subject there", Share: true, Tolerance: .05}
	return captioned(g, func(p *world.Picture, caption world.Scene) float64 {
		return truth(measuring.SubjectThere(p, caption))
	}, world.Families()...)
}

// Horizon measures how far the horizon is from a row, in heights of the picture.
func Horizon(row float64) Gauge {
	return Gauge{Name: "distance", Less: true, Tolerance: .01, Half: .08, Of: func(p image.Image, _ string) float64 {
		at, confidence := measuring.Horizon(world.FromImage(p))
		if confidence < measuring.HorizonSure {
			return math.NaN()
		}
		return math.Abs(at - row)
	}}
}

// Palette measures how far a landscape's colours are from those of its caption,
// per channel: .015 for drawn scenes.
func Palette() Gauge {
	return captioned(Gauge{Name: "palette error", Less: true, Tolerance: .02}, measuring.PaletteError, world.Landscape)
}

// Stroke measures the width of a drawing's lines in pixels of a picture of 64;
// thinner is better or wider is. There is no width on empty paper.
func Stroke(thinner bool) Gauge {
	return Gauge{Name: "stroke width", Less: thinner, Tolerance: .1, Half: choose(thinner, 1.8, 2.6), Of: func(p image.Image, _ string) float64 {
		if w := measuring.StrokeWidth(world.FromImage(p)); w > 0 {
			return w
		}
		return math.NaN()
	}}
}

// Order tells whether both objects of a room are there and the left one is closer,
// or the right one.
func Order(left bool) Gauge {
	g := Gauge{Name: "right order", Share: true, Tolerance: .05}
	return captioned(g, func(p *world.Picture, caption world.Scene) float64 {
		near, present := measuring.Nearness(p, caption.Objects)
		return truth(present[0] && present[1] && near[0] != near[1] && (near[0] > near[1]) == left)
	}, world.Room)
}

// Gap measures how much nearer the left object of a room is than the right one, or
// the reverse, in shares of the room's depth. Both must be there.
func Gap(left bool) Gauge {
	g := Gauge{Name: "depth gap", Tolerance: .05}
	return captioned(g, func(p *world.Picture, caption world.Scene) float64 {
		near, present := measuring.Nearness(p, caption.Objects)
		if !present[0] || !present[1] {
			return math.NaN()
		}
		return choose(left, near[0]-near[1], near[1]-near[0])
	}, world.Room)
}

// Ice measures how much of a lake is ice: 0 to 1, and beyond for colours beyond.
func Ice() Gauge { return amount("ice", world.Lake) }

// Light measures how lit a lamp is: 0 to 1, and beyond for colours beyond.
func Light() Gauge { return amount("light", world.Lamp) }

// Leaves measures how many of a tree's leaves have fallen: 0 to 1, and beyond for
// colours beyond.
func Leaves() Gauge { return amount("leaves fallen", world.Tree) }

// Windows measures how lit a house's windows are: 0 to 1, and beyond for colours beyond.
func Windows() Gauge { return amount("light in the windows", world.House) }

func amount(name string, f world.Family) Gauge {
	return captioned(Gauge{Name: name, Paints: true, Tolerance: .05, Half: .5}, func(p *world.Picture, _ world.Scene) float64 {
		return measuring.Amount(p, f)
	}, f)
}

func truth(is bool) float64 { return choose(is, 1., 0.) }
