// Package world draws the pocket world: seven families of small pictures whose
// attributes (row of the horizon, stroke width, depth order, ice, light, leaves,
// colours) are known exactly because they are drawn. It writes their captions and draws the
// marks that lie over them when a question is asked.
//
// Lengths are in units of the picture's side, rows count from the top, unless
// a comment says otherwise; colours are in [0, 1].
package world

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Family is a kind of scene.
type Family int

// The families of the pocket world.
const (
	Landscape Family = iota
	Drawing
	Room
	Lake
	Lamp
	Tree
	House
)

var familyNames = [...]string{"landscape", "drawing", "room", "lake", "lamp", "tree", "house"}

// familyWeights is how often RandomScene draws each family.
var familyWeights = [...]int{10, 5, 6, 3, 3, 3, 3}

// Families returns all families in their order.
func Families() []Family { return []Family{Landscape, Drawing, Room, Lake, Lamp, Tree, House} }

// String returns the family's name in lower case.
func (f Family) String() string {
	if f < 0 || int(f) >= len(familyNames) {
		return fmt.Sprintf("family(%d)", int(f))
	}
	return familyNames[f]
}

// Spread says how far attributes stray from their means.
type Spread int

const (
	// Narrow is what the generator learns: attributes near their means.
	Narrow Spread = iota
	// Broad is what the autoencoder and the verifier see: whole ranges.
	Broad
)

// Object is a coloured solid of a room.
type Object struct{ Colour, Shape string }

// String returns the object with its article, as captions name it.
func (o Object) String() string { return article(o.Colour) + " " + o.Colour + " " + o.Shape }

// Scene is all that determines a picture. Only the fields of its family count.
type Scene struct {
	Family Family

	Place   string    // landscape: meadow, ...; room: table, ...
	Time    string    // landscape: day, sunset, night
	Thing   string    // drawing's subject; what stands in a landscape or beside a lake or lamp; may be ""
	Ink     string    // drawing
	Objects [2]Object // room, left and right
	Winter  bool      // lake, tree
	Night   bool      // lamp, house
	Said    bool      // whether the caption says "frozen", "that is on", "bare" or "that is lit"

	Horizon float64    // landscape, and where the land of lakes, trees and houses meets the sky: row in [0,1]
	Field   Box        // landscape with a field: where it lies
	Stroke  float64    // drawing: width in pixels of a 64 pixel picture
	Near    [2]float64 // room: nearness in [0,1] of the left and right object
	Amount  float64    // lake: share of ice; lamp, house: how lit; tree: share of leaves that have fallen; in [0,1]

	X    [2]float64 // horizontal jitter of subjects in [-1,1]
	Y    [2]float64 // vertical jitter of subjects in [-1,1]
	Size float64    // size factor of subjects, about 1
	Tint [3]RGB     // colour offsets: upper background, lower background, subject
	Seed uint64     // details such as waves and stars

	Palette string  // one of Palettes that the finished picture is coloured in
	Grade   float64 // how far it is: 0 (not at all) to 1 (all of its colours are the palette's)

	Gone Part    // what is missing although the caption names it
	Fade float64 // how far the missing part has faded: 0 (there) to 1 (gone)
	Gaps float64 // drawing: share of the strokes left out
	Wash float64 // drawing: share of the ink that is missing around one place on its lines
}

// Part names what an absence removes from a scene.
type Part int

// Parts that may be missing.
const (
	Nothing     Part = iota
	Subject          // the drawing, the lake, the lamp, the tree, the house, a landscape's ground
	LeftObject       // the left object of a room
	RightObject      // the right object of a room
	BothObjects      // both objects of a room
)

// Attribute distributions; narrow and broad, see the pocket recipe.
const (
	horizonMean, horizonSpread   = .52, .09
	horizonLeast, horizonMost    = .25, .80
	horizonTop, horizonBottom    = .10, .90
	strokeMean, strokeSpread     = 2.2, .4
	strokeLeast, strokeMost      = 1.3, 3.2
	StrokeThinnest, StrokeWidest = .9, 7.0
	nearMean, nearSpread         = .5, .15
	tintNarrow, tintBroad        = .015, .035
	partial                      = .40 // broad: share of amounts strictly between 0 and 1
	accident                     = .03 // narrow: frozen in winter, lit at night, though not said
	saidOften, saidSeldom        = .40, .20
	gradedShare                  = .15 // broad: of pictures in the colours of a palette
)

// NewScene draws the attributes of a scene of a family from rng.
func NewScene(rng *rand.Rand, f Family, w Spread) Scene {
	s := Scene{Family: f, Seed: rng.Uint64(), Size: 1 + .08*symmetric(rng)}
	for i := range s.X {
		s.X[i], s.Y[i] = symmetric(rng), symmetric(rng)
	}
	spread := tintNarrow
	if w == Broad {
		spread = tintBroad
		s.Size = 1 + .15*symmetric(rng)
	}
	for i := range s.Tint {
		// Half of a tint is shared by the channels: light varies more than hue.
		grey := rng.NormFloat64()
		for c := range s.Tint[i] {
			s.Tint[i][c] = float32(spread * (.7*grey + .7*rng.NormFloat64()))
		}
	}
	switch f {
	case Landscape:
		s.newLandscape(rng, w)
	case Drawing:
		s.newDrawing(rng, w)
	case Room:
		s.newRoom(rng, w)
	case Lake:
		s.newLake(rng, w)
	case Lamp:
		s.newLamp(rng, w)
	case Tree:
		s.newTree(rng, w)
	case House:
		s.newHouse(rng, w)
	}
	if w == Broad && rng.Float64() < gradedShare {
		s.Palette, s.Grade = pick(rng, PaletteNames), uniform(rng, .2, 1)
	}
	return s
}

// RandomScene draws a scene of a random family.
func RandomScene(rng *rand.Rand, w Spread) Scene {
	total := 0
	for _, n := range familyWeights {
		total += n
	}
	k := rng.IntN(total)
	for f, n := range familyWeights {
		if k -= n; k < 0 {
			return NewScene(rng, Family(f), w)
		}
	}
	panic("unreachable")
}

// Draw renders the scene, antialiased, at size x size pixels.
func (s Scene) Draw(size int) *Picture {
	p := s.faded(size)
	if s.Grade > 0 {
		p.grade(Palettes[s.Palette], s.Grade)
	}
	return p
}

// faded renders the scene with its missing part as far gone as it is.
func (s Scene) faded(size int) *Picture {
	if s.Gone == Nothing || s.Fade >= 1 {
		return s.draw(size)
	}
	p := s.whole().draw(size)
	for i, v := range s.draw(size).Pix {
		p.Pix[i] += (v - p.Pix[i]) * float32(s.Fade)
	}
	return p
}

// draw renders the scene with its missing part entirely gone.
func (s Scene) draw(size int) *Picture {
	c := newCanvas(size)
	switch s.Family {
	case Landscape:
		s.drawLandscape(c)
	case Drawing:
		s.drawDrawing(c)
	case Room:
		s.drawRoom(c)
	case Lake:
		s.drawLake(c)
	case Lamp:
		s.drawLamp(c)
	case Tree:
		s.drawBigTree(c)
	case House:
		s.drawBigHouse(c)
	}
	return c.picture()
}

// Complete tells whether nothing at all is missing.
func (s Scene) Complete() bool { return s.Gone == Nothing && s.Gaps == 0 && s.Wash == 0 }

// Present tells whether nothing is missing from an object of a room.
func (s Scene) Present(i int) bool {
	return s.Gone != BothObjects && !(i == 0 && s.Gone == LeftObject) && !(i == 1 && s.Gone == RightObject)
}

// whole returns the scene with nothing missing but its gaps.
func (s Scene) whole() Scene {
	s.Gone, s.Fade = Nothing, 0
	return s
}

// Things lists what the scene's thing consists of.
func (s Scene) Things() []string {
	switch s.Thing {
	case "":
		return nil
	case treeAndHouse:
		return []string{"tree", "house"}
	case treeAndField:
		return []string{"tree", Field}
	}
	return []string{s.Thing}
}

// amount draws how frozen or lit a scene is, and whether its caption says so.
// season is true in winter or at night, when a narrow scene may freeze or be
// lit without a word.
func (s *Scene) amount(rng *rand.Rand, w Spread, season bool) {
	if w == Broad {
		s.Amount = float64(rng.IntN(2))
		if rng.Float64() < partial {
			s.Amount = rng.Float64()
		}
		s.Said = s.Amount > .5
		return
	}
	often := saidSeldom
	if season {
		often = saidOften
	}
	s.Said = rng.Float64() < often
	// A little spread at both ends keeps the generator's manifold from being two points.
	small := .06 * rng.Float64()
	s.Amount = small
	if s.Said || season && rng.Float64() < accident {
		s.Amount = 1 - small
	}
}

// details returns the generator of a scene's small random details.
func (s Scene) details() *rand.Rand { return rand.New(rand.NewPCG(s.Seed, 0x9e3779b97f4a7c15)) }

func symmetric(rng *rand.Rand) float64 { return 2*rng.Float64() - 1 }

func uniform(rng *rand.Rand, low, high float64) float64 { return low + (high-low)*rng.Float64() }

// gaussian draws from N(mean, spread) clipped to [low, high].
func gaussian(rng *rand.Rand, mean, spread, low, high float64) float64 {
	return math.Max(low, math.Min(high, mean+spread*rng.NormFloat64()))
}

func pick[T any](rng *rand.Rand, list []T) T { return list[rng.IntN(len(list))] }
