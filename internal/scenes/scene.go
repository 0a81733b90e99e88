// Package scenes draws the pocket world: five families of small pictures
// whose attributes (row of the horizon, stroke width, depth order, ice,
// light) are known exactly because they are drawn. It writes their captions,
// asks questions with soft answers about them, and measures the attributes on
// any picture without asking a model.
//
// Lengths are in units of the picture's side, rows count from the top, unless
// a comment says otherwise; colours are in [0,1].
package scenes

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
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
)

var familyNames = [...]string{"landscape", "drawing", "room", "lake", "lamp"}

// familyWeights is how often Random draws each family.
var familyWeights = [...]int{8, 5, 6, 3, 3}

// Families returns all families in their order.
func Families() []Family { return []Family{Landscape, Drawing, Room, Lake, Lamp} }

// String returns the family's name in lower case.
func (f Family) String() string {
	if f < 0 || int(f) >= len(familyNames) {
		return fmt.Sprintf("family(%d)", int(f))
	}
	return familyNames[f]
}

// World says how far attributes stray.
type World int

const (
	// Narrow is what the generator learns: attributes near their means.
	Narrow World = iota
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
	Winter  bool      // lake
	Night   bool      // lamp
	Said    bool      // whether the caption says "frozen" or "that is on"

	Horizon float64    // landscape, and where a lake's land meets the sky: row in [0,1]
	Stroke  float64    // drawing: width in pixels of a 64 pixel picture
	Near    [2]float64 // room: nearness in [0,1] of the left and right object
	Amount  float64    // lake: share of ice; lamp: how lit; in [0,1]

	X    [2]float64 // horizontal jitter of subjects in [-1,1]
	Y    [2]float64 // vertical jitter of subjects in [-1,1]
	Size float64    // size factor of subjects, about 1
	Tint [3]RGB     // colour offsets: upper background, lower background, subject
	Seed uint64     // details such as waves and stars

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
	Subject          // the drawing, the lake, the lamp, a landscape's ground
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
	strokeThinnest, strokeWidest = .9, 7.0
	nearMean, nearSpread         = .5, .15
	tintNarrow, tintBroad        = .015, .035
	partial                      = .40 // broad: share of amounts strictly between 0 and 1
	accident                     = .03 // narrow: frozen in winter, lit at night, though not said
	saidOften, saidSeldom        = .40, .20
)

// New draws the attributes of a random scene of a family from rng.
func New(rng *rand.Rand, f Family, w World) Scene {
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
	}
	return s
}

// Random draws a scene of a random family.
func Random(rng *rand.Rand, w World) Scene {
	total := 0
	for _, n := range familyWeights {
		total += n
	}
	k := rng.IntN(total)
	for f, n := range familyWeights {
		if k -= n; k < 0 {
			return New(rng, Family(f), w)
		}
	}
	panic("unreachable")
}

// Caption describes the scene in words of the closed vocabulary, in lower
// case and without punctuation; at most 12 words.
func (s Scene) Caption() string {
	switch s.Family {
	case Landscape:
		return join(article(s.Place), s.Place, timePhrase(s.Time), with(s.Thing))
	case Drawing:
		return join("a line drawing of", article(s.Thing), s.Thing, "in", s.Ink, "ink")
	case Room:
		return join(s.Objects[0].String(), "and", s.Objects[1].String(), "on a", s.Place)
	case Lake:
		return join("a", choose(s.Said, "frozen", ""), "lake in", s.Season(), with(s.Thing))
	default:
		return join("a lamp", choose(s.Said, "that is on", ""), choose(s.Night, "at night", "by day"), with(s.Thing))
	}
}

// Season is the season of a lake: "winter" or "summer".
func (s Scene) Season() string { return choose(s.Winter, "winter", "summer") }

// Draw renders the scene, antialiased, at size x size pixels.
func (s Scene) Draw(size int) *Picture {
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
	}
	c.clamp()
	return c.p
}

// amount draws how frozen or lit a scene is, and whether its caption says so.
// season is true in winter or at night, when a narrow scene may freeze or be
// lit without a word.
func (s *Scene) amount(rng *rand.Rand, w World, season bool) {
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

func choose(cond bool, yes, no string) string {
	if cond {
		return yes
	}
	return no
}

func lerp(a, b, t float64) float64 { return a + (b-a)*t }

// join joins the non-empty parts with blanks.
func join(parts ...string) string {
	kept := parts[:0:0]
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, " ")
}

// article returns "an" before the vocabulary's words that need it, else "a".
func article(word string) string {
	return choose(strings.HasPrefix(word, "orange"), "an", "a")
}

// with phrases what stands in a scene: "with a tree", or "" for nothing.
func with(thing string) string {
	if thing == "" {
		return ""
	}
	return "with " + nounPhrase(thing)
}

// nounPhrase puts an article before singular things.
func nounPhrase(thing string) string {
	switch thing {
	case mountains, clouds:
		return thing
	case treeAndHouse:
		return "a tree and a house"
	}
	return article(thing) + " " + thing
}

func timePhrase(time string) string {
	return choose(time == "day", "by day", "at "+time)
}
