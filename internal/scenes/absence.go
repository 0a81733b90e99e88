package scenes

import "math/rand/v2"

// Absent returns the scene with something missing that its caption names, so
// that a verifier learns to say no instead of liking an empty picture: a
// landscape without ground, empty paper, faded, broken or partly washed out
// strokes, a room with one object or none, no lake, no lamp. About half of the
// absences are partial. Questions about the result expect no as the missing part
// fades.
func (s Scene) Absent(rng *rand.Rand) Scene {
	s.Gone, s.Fade = Subject, 1
	if rng.IntN(2) == 0 {
		s.Fade = uniform(rng, .2, 1)
	}
	switch s.Family {
	case Drawing:
		switch rng.IntN(3) {
		case 0:
			s.Gone, s.Fade, s.Gaps = Nothing, 0, uniform(rng, .2, .85)
		case 1:
			s.Gone, s.Fade, s.Wash = Nothing, 0, uniform(rng, .2, 1)
		}
	case Room:
		s.Gone = []Part{LeftObject, LeftObject, RightObject, RightObject, BothObjects}[rng.IntN(5)]
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

// Complete tells whether nothing at all is missing.
func (s Scene) Complete() bool { return s.Gone == Nothing && s.Gaps == 0 && s.Wash == 0 }

// subjectGone is how far the subject is gone, in [0,1].
func (s Scene) subjectGone() float64 {
	gone := clamp01((s.Gaps - gapsFrom) / (gapsTo - gapsFrom))
	gone = max(gone, washedMost*clamp01((s.Wash-washFrom)/(washTo-washFrom)))
	if s.Gone == Subject {
		gone = max(gone, clamp01((s.Fade-fadeFrom)/(fadeTo-fadeFrom)))
	}
	return gone
}

// objectGone is how far an object of a room is gone, in [0,1].
func (s Scene) objectGone(i int) float64 {
	if s.present(i) {
		return 0
	}
	return clamp01((s.Fade - fadeFrom) / (fadeTo - fadeFrom))
}

// present tells whether nothing is missing from an object of a room.
func (s Scene) present(i int) bool {
	return s.Gone != BothObjects && !(i == 0 && s.Gone == LeftObject) && !(i == 1 && s.Gone == RightObject)
}

// whole returns the scene with nothing missing but its gaps.
func (s Scene) whole() Scene {
	s.Gone, s.Fade = Nothing, 0
	return s
}
