package training

import (
	"math"
	"math/rand/v2"

	"github.com/dualprocess/dualprocess-go/internal/pocket/teaching"
	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
)

// exam is one picture with several questions about it, as numbers.
type exam struct {
	pixels    []float32 // [64, 64, 3]
	facts     facts
	mark      []float32 // [64, 64, 4]: colour and cover of what lies over the picture
	damage    damage
	questions [questionsPerPicture]quiz
}

// quiz is one question of an exam.
type quiz struct {
	ids   []int32
	logit float32 // target of yes minus no
	// positions is the target over the position words; for yes-or-no questions it is zero.
	positions []float32
}

// questionsPerPicture share the cost of looking at it.
const questionsPerPicture = 8

// The regressions that the read-out learns besides the answers. The attributes of
// teaching.Attributes follow them.
const (
	factHorizon  = iota
	factLine     // row of the horizontal line that lies over the picture
	factDistance // of the horizon from it
	factStroke   // log of the width, halved
	factSample   // the same of the sample that lies over the picture
	factRatio    // absolute difference of the two
	factLeft     // nearness of the left object
	factRight
	factOrder  // left minus right
	factPoints // nearness of the object at point A minus that at point B
	factAmount
	factColumn // of the vertical line that lies over the picture
	factTree   // column of the tree
	factAside  // distance of the two
	factBoxLeft
	factBoxTop
	factBoxRight
	factBoxBottom
	factFieldLeft
	factFieldTop
	factFieldRight
	factFieldBottom
	factApart   // distance of the field's sides from those of the box
	factPalette // distance of the colours from the palette, in hundreds
	factDamage  // filled in by the graph, which alone knows it
	factMarks   // from here on: 1 for the kind of mark that lies over the picture, else 0
)

// quantities is the number of regressions.
var quantities = factMarks + len(world.Marks())

// suffixShare of the yes-or-no questions come with the suffix that the callers append.
const suffixShare = 0.7

// examiner draws exams.
type examiner struct {
	words      *vocabulary
	maxWords   int
	attributes []teaching.Attribute
	marks      bool // more questions are about them
}

// chances is how often a question is drawn again that is not about a mark, which the
// controls need.
func (e *examiner) chances() int {
	if e.marks {
		return 5
	}
	return 2
}

// examine asks questions of a scene whose picture is given. The first one may be
// about a mark, of a composed scene it is about a composition; the others see that
// mark, too.
func (e *examiner) examine(rng *rand.Rand, s world.Scene, composed bool, p *world.Picture, d damage) (exam, error) {
	x := exam{pixels: p.Pix, damage: d}
	first := ask(rng, s, d, true)
	for range e.chances() {
		if !teaching.NeedsMark(first.Topic) {
			first = ask(rng, s, d, true)
		}
	}
	if composed {
		first, _ = teaching.AskMarked(rng, s, world.RandomMark(rng, world.CompositionMark, s))
	}
	x.mark = first.Mark.Layer(pictureSize)
	x.facts = factsOf(e.attributes, s, first.Mark)
	var err error
	x.questions[0], err = e.quiz(rng, first)
	for k := 1; k < questionsPerPicture && err == nil; k++ {
		x.questions[k], err = e.quiz(rng, e.followUp(rng, s, d, first.Mark, k))
	}
	return x, err
}

// followUp asks question k of a picture under a mark. Every third is about the
// mark again, or every other, and half of the others for one of several things: to
// learn which word means what takes the most questions.
func (e *examiner) followUp(rng *rand.Rand, s world.Scene, d damage, m world.Mark, k int) teaching.Question {
	if k%3 == 0 || e.marks && k%2 == 1 {
		if q, ok := teaching.AskMarked(rng, s, m); ok {
			return q
		}
	}
	if k%2 == 0 {
		return teaching.AskFact(rng, s)
	}
	return ask(rng, s, d, false)
}

// ask asks a random question. Without marks it is none that needs one; of a
// picture that is damaged so that it counts it asks for no quantity, which could
// not be read off.
func ask(rng *rand.Rand, s world.Scene, d damage, marks bool) teaching.Question {
	for {
		q := teaching.Ask(rng, s)
		if (marks || !teaching.NeedsMark(q.Topic)) && !(d.counts && q.Positions != nil) {
			return q
		}
	}
}

func (e *examiner) quiz(rng *rand.Rand, q teaching.Question) (quiz, error) {
	text := q.Text
	if q.Positions == nil && rng.Float64() < suffixShare {
		text += teaching.Suffix
	}
	ids, err := e.words.question(text, e.maxWords)
	positions := make([]float32, len(teaching.PositionWords()))
	for k, share := range q.Positions {
		positions[k] = float32(share)
	}
	return quiz{ids, float32(q.Logit), positions}, err
}

// facts are the regressions' targets, and 1 where one is known.
type facts struct{ values, known []float32 }

func (f facts) set(i int, v float64) { f.values[i], f.known[i] = float32(v), 1 }

// factsOf collects what is known about a scene under a mark.
func factsOf(attributes []teaching.Attribute, s world.Scene, m world.Mark) facts {
	n := quantities + len(attributes)
	f := facts{values: make([]float32, n), known: make([]float32, n)}
	if s.Complete() {
		f.setScene(s)
	}
	f.setMark(s, m)
	for k, a := range attributes {
		if holds, ok := a.Of(s); ok {
			f.set(quantities+k, float64(one(holds)))
		}
	}
	return f
}

// setScene sets the quantities of a scene from which nothing is missing.
func (f facts) setScene(s world.Scene) {
	switch s.Family {
	case world.Landscape:
		f.set(factHorizon, s.Horizon)
		if x, ok := s.TreeX(); ok {
			f.set(factTree, x)
		}
		if s.Field != (world.Box{}) {
			f.setBox(factFieldLeft, s.Field)
		}
	case world.Drawing:
		f.set(factStroke, math.Log(s.Stroke)/2)
	case world.Room:
		f.set(factLeft, s.Near[0])
		f.set(factRight, s.Near[1])
		f.set(factOrder, s.Near[0]-s.Near[1])
	default:
		if s.Grade == 0 {
			f.set(factAmount, s.Amount)
		}
	}
}

// setBox sets the four sides of a box from a fact on.
func (f facts) setBox(first int, b world.Box) {
	for k, side := range []float64{b.Left, b.Top, b.Right, b.Bottom} {
		f.set(first+k, side)
	}
}

// setMark sets where the mark is and, if that is known, how far the scene is from it.
func (f facts) setMark(s world.Scene, m world.Mark) {
	for k, kind := range world.Marks() {
		f.set(factMarks+k, float64(one(m.Kind == kind)))
	}
	switch m.Kind {
	case world.LineMark:
		f.setRow(s, m)
	case world.CompositionMark:
		f.setRow(s, m)
		f.setComposition(s, m)
	case world.PaletteMark:
		if s.Complete() {
			f.set(factPalette, teaching.PaletteDistance(s, m)/100)
		}
	case world.SampleMark:
		f.set(factSample, math.Log(m.Width)/2)
		if f.known[factStroke] == 1 {
			f.set(factRatio, math.Abs(math.Log(s.Stroke/m.Width))/2)
		}
	case world.PointsMark:
		if f.known[factOrder] == 1 {
			sign := 1.0
			if m.Points[0][0] > m.Points[1][0] {
				sign = -1
			}
			f.set(factPoints, sign*(s.Near[0]-s.Near[1]))
		}
	}
}

// setRow sets where a horizontal line is and how far the horizon is from it.
func (f facts) setRow(s world.Scene, m world.Mark) {
	f.set(factLine, m.Row)
	if f.known[factHorizon] == 1 {
		f.set(factDistance, math.Abs(s.Horizon-m.Row))
	}
}

// setComposition sets how far a tree and a field are from their places.
func (f facts) setComposition(s world.Scene, m world.Mark) {
	f.set(factColumn, m.Column)
	f.setBox(factBoxLeft, m.Box)
	if !s.Complete() {
		return
	}
	if x, ok := s.TreeX(); ok {
		f.set(factAside, math.Abs(x-m.Column))
	}
	if s.Field != (world.Box{}) {
		f.set(factApart, s.Field.Apart(m.Box))
	}
}
