package teaching

import (
	"math/rand/v2"

	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
)

// Absent returns the scene with something missing that its caption names, so
// that a verifier learns to say no instead of liking an empty picture: a
// landscape without ground, empty paper, faded, broken or partly washed out
// strokes, a room with one object or none, no lake, no lamp. About half of the
// absences are partial. Questions about the result expect no as the missing part
// fades.
func Absent(rng *rand.Rand, s world.Scene) world.Scene {
	s.Gone, s.Fade = world.Subject, 1
	if rng.IntN(2) == 0 {
		s.Fade = uniform(rng, .2, 1)
	}
	switch s.Family {
	case world.Drawing:
		switch rng.IntN(3) {
		case 0:
			s.Gone, s.Fade, s.Gaps = world.Nothing, 0, uniform(rng, .2, .85)
		case 1:
			s.Gone, s.Fade, s.Wash = world.Nothing, 0, uniform(rng, .2, 1)
		}
	case world.Room:
		s.Gone = []world.Part{world.LeftObject, world.LeftObject, world.RightObject, world.RightObject, world.BothObjects}[rng.IntN(5)]
	}
	return s
}

// Degrees of fading and of gaps from which a subject begins to count as gone,
// and at which it is gone; of washing out, too, which leaves the rest of it there.
const (
	fadeFrom, fadeTo = .20, .65
	gapsFrom, gapsTo = .12, .45
	washFrom, washTo = .25, .85
	washedMost       = .8
)

// subjectGone is how far the subject is gone, in [0,1].
func subjectGone(s world.Scene) float64 {
	gone := world.Clamp((s.Gaps - gapsFrom) / (gapsTo - gapsFrom))
	gone = max(gone, washedMost*world.Clamp((s.Wash-washFrom)/(washTo-washFrom)))
	if s.Gone == world.Subject {
		gone = max(gone, world.Clamp((s.Fade-fadeFrom)/(fadeTo-fadeFrom)))
	}
	return gone
}

// objectGone is how far an object of a room is gone, in [0,1].
func objectGone(s world.Scene, i int) float64 {
	if s.Present(i) {
		return 0
	}
	return world.Clamp((s.Fade - fadeFrom) / (fadeTo - fadeFrom))
}
