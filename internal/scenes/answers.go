package scenes

import (
	"math"
	"math/rand/v2"
	"slices"
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
func (q *Question) subject(s Scene, logit float64) string {
	q.Logit = dwindle(logit, s.subjectGone(), math.Min(foreign, logit))
	return ""
}

func onLine(_ *rand.Rand, s Scene, q *Question) string {
	logit := lineLogit(s.Horizon - q.Mark.Row)
	if s.Family != Landscape { // a lake's horizon stays when the lake goes
		q.Logit = logit
		return ""
	}
	return q.subject(s, logit)
}

// horizonHalf asks for the upper half with sign 1 and for the lower with -1.
func horizonHalf(sign float64) func(*rand.Rand, Scene, *Question) string {
	return func(_ *rand.Rand, s Scene, q *Question) string {
		return q.subject(s, sign*12*(.5-s.Horizon))
	}
}

// closer asks whether A is closer than B with sign 1, the reverse with -1.
func closer(sign float64) func(*rand.Rand, Scene, *Question) string {
	return func(_ *rand.Rand, s Scene, q *Question) string {
		left, right := 0, 1 // A is the left object
		if q.Mark.Points[0][0] > q.Mark.Points[1][0] {
			left, right = 1, 0
		}
		logit := sign * 7 * (s.Near[left] - s.Near[right])
		q.Logit = dwindle(logit, max(s.objectGone(0), s.objectGone(1)), math.Min(foreign, logit))
		return ""
	}
}

// plain asks for a fact that does not depend on the subject.
func plain(is func(Scene) bool) func(*rand.Rand, Scene, *Question) string {
	return func(_ *rand.Rand, s Scene, q *Question) string {
		q.Logit = fact(is(s), 0)
		return ""
	}
}

func subjectThere(_ *rand.Rand, s Scene, q *Question) string {
	q.Logit = fact(true, s.subjectGone())
	return ""
}

// quantity asks for a value in [0,1] that belongs to the subject; of a
// subject that is gone every answer is as good, so the target is flat.
func quantity(value func(Scene) float64) func(*rand.Rand, Scene, *Question) string {
	return func(_ *rand.Rand, s Scene, q *Question) string {
		q.Positions = flatten(positions(value(s)), s.subjectGone())
		return ""
	}
}

func nearness(i int) func(*rand.Rand, Scene, *Question) string {
	return func(_ *rand.Rand, s Scene, q *Question) string {
		q.Positions = flatten(positions(s.Near[i]), s.objectGone(i))
		return ""
	}
}

func flatten(p []float64, degree float64) []float64 {
	for k := range p {
		p[k] = lerp(p[k], 1/float64(len(p)), degree)
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
func askTime(rng *rand.Rand, s Scene, q *Question) string {
	return factOf(rng, q, times, s.Time, 0)
}

// things returns what the scene's thing consists of.
func (s Scene) things() []string {
	switch s.Thing {
	case "":
		return nil
	case treeAndHouse:
		return []string{"tree", "house"}
	}
	return []string{s.Thing}
}

// thingTopic asks whether one of several things is in the picture.
func thingTopic(name string, values []string, weight int) topic {
	phrases := make([]string, len(values))
	for i, v := range values {
		phrases[i] = nounPhrase(v)
	}
	fill := func(rng *rand.Rand, s Scene, q *Question) string {
		asked := pick(rng, values)
		if there := s.things(); len(there) > 0 && rng.IntN(2) == 0 {
			asked = pick(rng, there)
		}
		q.Logit = fact(slices.Contains(s.things(), asked), s.thingGone())
		return nounPhrase(asked)
	}
	return topic{name: name, weight: weight, words: phrases, fill: fill, texts: []string{
		"Is there %s in the picture?", "Does the picture show %s?", "Can you see %s?", "Is there %s?",
	}}
}

// thingGone is how far a scene's thing goes with its subject: all that stands
// on a landscape's ground does, and a lake's boat.
func (s Scene) thingGone() float64 {
	if s.Family == Landscape && s.Thing != clouds || s.Thing == "boat" {
		return s.subjectGone()
	}
	return 0
}

// askObject asks for an object of a room, half of the time one that is there,
// else one that differs in colour, shape or both: at times it is one object's
// colour with the other's shape.
func askObject(rng *rand.Rand, s Scene, q *Question) string {
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
			q.Logit = fact(true, s.objectGone(k))
		}
	}
	return asked.String()
}

// differing changes an object's colour, shape, both, or by chance neither.
func differing(rng *rand.Rand, o Object) Object {
	if rng.IntN(3) > 0 {
		o.Colour = pick(rng, colours)
	}
	if rng.IntN(3) > 0 {
		o.Shape = pick(rng, shapes)
	}
	return o
}

func objectPhrases() []string {
	var all []string
	for _, colour := range colours {
		for _, shape := range shapes {
			all = append(all, Object{colour, shape}.String())
		}
	}
	return all
}
