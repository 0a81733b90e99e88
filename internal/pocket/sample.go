package pocket

import (
	"math"
	"math/rand/v2"

	"github.com/dualprocess/dualprocess-go/internal/scenes"
)

// exam is one picture and one question of the verifier's training, as numbers.
type exam struct {
	pixels []float32 // [64, 64, 3]
	ids    []int32   // the question
	logit  float32   // target of yes minus no
	// positions is the target over the position words; for yes-or-no questions it is zero.
	positions []float32
	facts     []float32 // targets of the regressions
	known     []float32 // 1 where a fact is known
	mark      []float32 // [64, 64, 4]: colour and cover of what lies over the picture
	damage    damage
}

// The regressions that the read-out learns besides the answers.
const (
	factHorizon = iota
	factLine
	factDistance
	factStroke
	factLeft
	factRight
	factOrder
	factAmount
	factDamage // filled in by the graph, which alone knows it
	facts
)

// suffixShare of the yes-or-no questions come with the suffix that the callers append.
const suffixShare = 0.7

// examiner draws exams.
type examiner struct {
	words    *vocabulary
	maxWords int
}

// examine asks a question of a scene whose picture is given.
func (e *examiner) examine(rng *rand.Rand, s scenes.Scene, p *scenes.Picture, d damage) (exam, error) {
	q := scenes.Ask(rng, s)
	for d.counts && q.Positions != nil { // a quantity can't be read off a ruined picture
		q = scenes.Ask(rng, s)
	}
	text := q.Text
	if q.Positions == nil && rng.Float64() < suffixShare {
		text += scenes.Suffix
	}
	ids, err := e.words.question(text, e.maxWords)
	if err != nil {
		return exam{}, err
	}
	x := exam{pixels: p.Pix, ids: ids, logit: float32(q.Logit), positions: make([]float32, len(scenes.PositionWords())),
		mark: drawMark(q.Mark), damage: d}
	for k, share := range q.Positions {
		x.positions[k] = float32(share)
	}
	x.facts, x.known = factsOf(s, q.Mark)
	return x, nil
}

// factsOf returns the regressions' targets and which of them are known.
func factsOf(s scenes.Scene, m scenes.Mark) (values, known []float32) {
	values, known = make([]float32, facts), make([]float32, facts)
	set := func(i int, v float64) { values[i], known[i] = float32(v), 1 }
	whole := s.Gone == scenes.Nothing
	if m.Kind == scenes.LineMark {
		set(factLine, m.Row)
	}
	switch {
	case s.Family == scenes.Landscape && whole:
		set(factHorizon, s.Horizon)
		if m.Kind == scenes.LineMark {
			set(factDistance, math.Abs(s.Horizon-m.Row))
		}
	case s.Family == scenes.Drawing && whole && s.Gaps == 0:
		set(factStroke, math.Log(s.Stroke)/2)
	case s.Family == scenes.Room && whole:
		set(factLeft, s.Near[0])
		set(factRight, s.Near[1])
		set(factOrder, s.Near[0]-s.Near[1])
	case (s.Family == scenes.Lake || s.Family == scenes.Lamp) && whole:
		set(factAmount, s.Amount)
	}
	return values, known
}
