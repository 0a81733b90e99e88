package teaching

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/dualprocess/dualprocess-go/internal/pocket/measuring"
	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
)

// Turning points of the stroke targets: wider than a thick line is a blob,
// narrower than a thin line is a broken one; from there the logit falls with
// the slope with which it rose.
const (
	thickest = 5.0 // px at 64
	thinnest = 1.0 // px at 64
)

func thickLogit(w float64) float64 {
	top := math.Log(math.Min(w, thickest))
	return 6*(top-1.1) - 6*math.Max(0, math.Log(w/thickest))
}

func thinLogit(w float64) float64 {
	low := math.Log(math.Max(w, thinnest))
	return -6*(low-.6) - 6*math.Max(0, math.Log(thinnest/w))
}

// lineLogit is the target of a horizon at a distance (of the height) from the
// line. It is even at a ninth of the height, and steep enough that its loss still
// pulls at a distance of a few pixels.
func lineLogit(distance float64) float64 { return 4 - 36*math.Abs(distance) }

// subject sets the logit of a question about a subject that may be gone.
func (q *Question) subject(s world.Scene, logit float64) string {
	q.Logit = dwindle(logit, subjectGone(s), math.Min(foreign, logit))
	return ""
}

func onLine(_ *rand.Rand, s world.Scene, q *Question) string {
	logit := lineLogit(s.Horizon - q.Mark.Row)
	if s.Family != world.Landscape { // a lake's horizon stays when the lake goes
		q.Logit = logit
		return ""
	}
	return q.subject(s, logit)
}

func hasTree(s world.Scene) bool {
	_, ok := s.TreeX()
	return ok
}

func hasField(s world.Scene) bool { return s.Field != (world.Box{}) }

// treeOnLine is the target of a tree at a distance (of the width) from the vertical
// line.
func treeOnLine(_ *rand.Rand, s world.Scene, q *Question) string {
	x, ok := s.TreeX()
	if !ok {
		q.Logit = foreign
		return ""
	}
	return q.subject(s, 4-36*math.Abs(x-q.Mark.Column))
}

// fieldInBox is the target of a field by how far its four sides are from those of the
// box, on average: that has a slope where they do not even meet.
func fieldInBox(_ *rand.Rand, s world.Scene, q *Question) string {
	if !hasField(s) {
		q.Logit = foreign
		return ""
	}
	return q.subject(s, 4-44*s.Field.Apart(q.Mark.Box))
}

// Composed returns a random scene that has all parts of a composition.
func Composed(rng *rand.Rand, w world.Spread) world.Scene {
	for {
		if s := world.NewScene(rng, world.Landscape, w); HasAll(s) {
			return s
		}
	}
}

// HasAll tells whether a scene has all parts of a composition: a horizon, a tree and a
// field.
func HasAll(s world.Scene) bool { return hasTree(s) && hasField(s) }

// likePalette is the target of a picture at a distance from a palette: even at a
// distance of 20 in CIELAB, where colours are related to those of the palette but
// other ones.
func likePalette(_ *rand.Rand, s world.Scene, q *Question) string {
	logit := 4 - .2*PaletteDistance(s, q.Mark)
	gone := max(subjectGone(s), objectGone(s, 0), objectGone(s, 1))
	q.Logit = dwindle(logit, gone, math.Min(foreign, logit))
	return ""
}

// PaletteDistance is that of a scene's picture from the palette of a mark. Small
// pictures have the same colours and take less time.
func PaletteDistance(s world.Scene, m world.Mark) float64 {
	const small = 16
	return measuring.PaletteDistance(s.Draw(small), m.Palette)
}

// horizonHalf asks for the upper half with sign 1 and for the lower with -1.
func horizonHalf(sign float64) filler {
	return func(_ *rand.Rand, s world.Scene, q *Question) string {
		return q.subject(s, sign*12*(.5-s.Horizon))
	}
}

// closer asks whether A is closer than B with sign 1, the reverse with -1.
func closer(sign float64) filler {
	return func(_ *rand.Rand, s world.Scene, q *Question) string {
		left, right := 0, 1 // A is the left object
		if q.Mark.Points[0][0] > q.Mark.Points[1][0] {
			left, right = 1, 0
		}
		logit := sign * 7 * (s.Near[left] - s.Near[right])
		q.Logit = dwindle(logit, max(objectGone(s, 0), objectGone(s, 1)), math.Min(foreign, logit))
		return ""
	}
}

// plain asks for a fact that does not depend on the subject.
func plain(is func(world.Scene) bool) filler {
	return func(_ *rand.Rand, s world.Scene, q *Question) string {
		q.Logit = fact(is(s), 0)
		return ""
	}
}

func subjectThere(_ *rand.Rand, s world.Scene, q *Question) string {
	q.Logit = fact(true, subjectGone(s))
	return ""
}

// quantity asks for a value in [0,1] that belongs to the subject; of a
// subject that is gone every answer is as good, so the target is flat.
func quantity(value func(world.Scene) float64) filler {
	return func(_ *rand.Rand, s world.Scene, q *Question) string {
		q.Positions = flatten(positions(value(s)), subjectGone(s))
		return ""
	}
}

func nearness(i int) filler {
	return func(_ *rand.Rand, s world.Scene, q *Question) string {
		q.Positions = flatten(positions(s.Near[i]), objectGone(s, i))
		return ""
	}
}

func flatten(p []float64, degree float64) []float64 {
	for k := range p {
		p[k] = world.Lerp(p[k], 1/float64(len(p)), degree)
	}
	return p
}

// factOf asks for one of several values, the true one half of the time, and
// returns the value asked for.
func factOf(rng *rand.Rand, q *Question, values []string, truth string, gone float64) string {
	asked := truth
	if rng.IntN(2) == 0 {
		asked = pick(rng, values)
	}
	q.Logit = fact(asked == truth, gone)
	return asked
}

// askTime asks for the time of day of a landscape.
func askTime(rng *rand.Rand, s world.Scene, q *Question) string {
	return factOf(rng, q, world.Times, s.Time, 0)
}

// thingTopic asks whether one of several things is in the picture.
func thingTopic(name string, values []string, weight int) topic {
	phrases := make([]string, len(values))
	for i, v := range values {
		phrases[i] = world.NounPhrase(v)
	}
	fill := func(rng *rand.Rand, s world.Scene, q *Question) string {
		asked := pick(rng, values)
		if there := s.Things(); len(there) > 0 && rng.IntN(2) == 0 {
			asked = pick(rng, there)
		}
		q.Logit = fact(slices.Contains(s.Things(), asked), thingGone(s))
		return world.NounPhrase(asked)
	}
	return topic{name: name, weight: weight, words: phrases, fill: fill, texts: []string{
		"Is there %s in the picture?", "Does the picture show %s?", "Can you see %s?", "Is there %s?",
	}}
}

// thingGone is how far a scene's thing goes with its subject: all that stands
// on a landscape's ground does, and a lake's boat.
func thingGone(s world.Scene) float64 {
	if s.Family == world.Landscape && s.Thing != world.Clouds || s.Thing == "boat" {
		return subjectGone(s)
	}
	return 0
}

// askObject asks for an object of a room, half of the time one that is there,
// else one that differs in colour, shape or both: at times it is one object's
// colour with the other's shape.
func askObject(rng *rand.Rand, s world.Scene, q *Question) string {
	i := rng.IntN(2)
	asked := s.Objects[i]
	if rng.IntN(2) == 0 {
		const crossed = 0.3
		if rng.Float64() < crossed {
			asked.Colour = s.Objects[1-i].Colour
		} else {
			asked = differing(rng, asked)
		}
	}
	q.Logit = -certain
	for k, o := range s.Objects {
		if o == asked {
			q.Logit = fact(true, objectGone(s, k))
		}
	}
	return asked.String()
}

// differing changes an object's colour, shape, both, or by chance neither.
func differing(rng *rand.Rand, o world.Object) world.Object {
	if rng.IntN(3) > 0 {
		o.Colour = pick(rng, world.Colours)
	}
	if rng.IntN(3) > 0 {
		o.Shape = pick(rng, world.Shapes)
	}
	return o
}

func objectPhrases() []string {
	var all []string
	for _, o := range world.Objects() {
		all = append(all, o.String())
	}
	return all
}
