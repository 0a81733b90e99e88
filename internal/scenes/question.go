package scenes

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// Suffix is what the callers may append to a question's text.
const Suffix = " Answer with Yes or No."

// The two words that answer a question, as tokens of the vocabulary.
const (
	Yes = "yes"
	No  = "no"
)

// Question is a question about one scene with its soft answer.
type Question struct {
	Topic     string // what is asked, the same for all wordings
	Text      string // without Suffix
	Mark      Mark
	Logit     float64   // P(yes) = sigmoid(Logit); unused with Positions
	Positions []float64 // nil, or the probability of each of PositionWords
}

// Yes returns the target probability of the answer yes.
func (q Question) Yes() float64 { return 1 / (1 + math.Exp(-q.Logit)) }

// PositionWords answer questions for a quantity: word k stands for the k-th
// sixteenth of the quantity's range.
func PositionWords() []string {
	return []string{"zero", "one", "two", "three", "four", "five", "six", "seven",
		"eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen"}
}

// positionSpread is the standard deviation of a position answer, in ranges.
const positionSpread = .04

// positions spreads a quantity in [0,1] over the position words.
func positions(v float64) []float64 {
	n := len(PositionWords())
	p, sum := make([]float64, n), 0.
	for k := range p {
		d := (clamp01(v) - (float64(k)+.5)/float64(n)) / positionSpread
		p[k] = math.Exp(-d * d / 2)
		sum += p[k]
	}
	for k := range p {
		p[k] /= sum
	}
	return p
}

// Target logits. Every target has a slope wherever a distillation may be, so
// that the gradient always points somewhere.
const (
	certain  = 5.0  // plain facts
	foreign  = -4.0 // about something of another family, or of a part that is gone
	unmarked = -3.5 // about a mark that is not there

	foreignShare  = .08 // of the questions are of another family
	unmarkedShare = .08 // of the questions about a mark lack it
	strayShare    = .10 // of the other questions have a mark they do not ask about
	swappedShare  = .10 // of the pairs of points have A on the right
)

// topic is one thing that can be asked of a family.
type topic struct {
	name   string
	weight int      // how often it is asked
	mark   MarkKind // what it needs
	own    bool     // makes no sense for other families, where the answer is no
	texts  []string // wordings; "%s" stands for what fill sets
	// fill sets the answer for a scene and returns what stands for "%s".
	fill func(rng *rand.Rand, s Scene, q *Question) string
	// words lists all that can stand for "%s"; nil where nothing does.
	words []string
}

func topics(f Family) []topic {
	switch f {
	case Landscape:
		return landscapeTopics()
	case Drawing:
		return drawingTopics()
	case Room:
		return roomTopics()
	case Lake:
		return lakeTopics()
	default:
		return lampTopics()
	}
}

// Topics names what can be asked of a family.
func Topics(f Family) []string {
	var names []string
	for _, t := range topics(f) {
		names = append(names, t.name)
	}
	return names
}

// Ask asks a random question about a scene, sometimes one that belongs to
// another family.
func Ask(rng *rand.Rand, s Scene) Question {
	if rng.Float64() < foreignShare {
		f := Family(rng.IntN(len(familyNames)))
		if f != s.Family && !(f == Landscape && s.hasHorizon()) {
			return askForeign(rng, f)
		}
	}
	list := topics(s.Family)
	total := 0
	for _, t := range list {
		total += t.weight
	}
	k := rng.IntN(total)
	for _, t := range list {
		if k -= t.weight; k < 0 {
			return t.ask(rng, s)
		}
	}
	panic("unreachable")
}

// AskTopic asks a question of the named topic; it is an error if the scene's
// family has no such topic.
func AskTopic(rng *rand.Rand, s Scene, name string) (Question, error) {
	for _, t := range topics(s.Family) {
		if t.name == name {
			return t.ask(rng, s), nil
		}
	}
	return Question{}, fmt.Errorf("scenes: a %v has no topic %q", s.Family, name)
}

func (t topic) ask(rng *rand.Rand, s Scene) Question {
	q := Question{Topic: t.name}
	if t.mark != NoMark {
		q.Mark = randomMark(rng, t.mark, s)
	}
	word := t.fill(rng, s, &q)
	q.Text = phrase(pick(rng, t.texts), word)
	switch {
	case t.mark != NoMark && rng.Float64() < unmarkedShare:
		q.Mark, q.Logit = Mark{}, unmarked
	case t.mark == NoMark && rng.Float64() < strayShare:
		q.Mark = randomMark(rng, MarkKind(1+rng.IntN(3)), s)
	}
	return q
}

// hasHorizon tells whether a scene has something like a horizon, so that
// questions about it aren't foreign.
func (s Scene) hasHorizon() bool {
	return s.Family == Landscape || s.Family == Lake || s.Family == Room && s.Place == "beach"
}

// askForeign asks a family's question of a picture of another family.
func askForeign(rng *rand.Rand, f Family) Question {
	var own []topic
	for _, t := range topics(f) {
		if t.own {
			own = append(own, t)
		}
	}
	t := pick(rng, own)
	q := Question{Topic: "foreign", Logit: foreign}
	word := ""
	if t.words != nil {
		word = pick(rng, t.words)
	}
	q.Text = phrase(pick(rng, t.texts), word)
	if t.mark != NoMark {
		q.Mark = randomMark(rng, t.mark, New(rng, f, Broad))
	}
	return q
}

// phrase puts a word into a text's place for it; the verb agrees with the word.
func phrase(text, word string) string {
	if word == mountains || word == clouds {
		text = strings.Replace(text, "Is there", "Are there", 1)
	}
	return strings.ReplaceAll(text, "%s", word)
}

// randomMark places a mark, near the scene's own value about half of the time.
func randomMark(rng *rand.Rand, kind MarkKind, s Scene) Mark {
	m := Mark{Kind: kind}
	switch kind {
	case LineMark:
		m.Row = uniform(rng, .06, .94)
		if s.Family == Landscape && rng.IntN(2) == 0 {
			m.Row = gaussian(rng, s.Horizon, .08, .06, .94)
		}
	case SampleMark:
		m.Width = math.Exp(uniform(rng, math.Log(strokeThinnest), math.Log(strokeWidest)))
		if s.Family == Drawing && rng.IntN(2) == 0 {
			m.Width = math.Max(strokeThinnest, math.Min(strokeWidest, s.Stroke*math.Exp(.15*rng.NormFloat64())))
		}
	case PointsMark:
		for i, x := range []float64{leftX, rightX} {
			m.Points[i] = [2]float64{x + .05*symmetric(rng), uniform(rng, .20, .85)}
		}
		if rng.Float64() < swappedShare {
			m.Points[0], m.Points[1] = m.Points[1], m.Points[0]
		}
	}
	return m
}

// fact is the target of a plain fact whose subject is gone to some degree.
func fact(is bool, gone float64) float64 {
	if is {
		return dwindle(certain, gone, -certain)
	}
	return -certain
}

// dwindle moves a logit to that of an absent subject as the degree grows.
func dwindle(logit, gone, absent float64) float64 { return lerp(logit, absent, gone) }

// NeedsMark tells whether questions of the named topic are about a mark.
func NeedsMark(name string) bool {
	for _, f := range Families() {
		for _, t := range topics(f) {
			if t.name == name {
				return t.mark != NoMark
			}
		}
	}
	return false
}

// AskMarked asks a random question about a mark that already lies over the
// picture. It reports false where the scene's family has none for such a mark.
func AskMarked(rng *rand.Rand, s Scene, m Mark) (Question, bool) {
	return askAmong(rng, s, m, func(t topic) bool { return t.mark == m.Kind && m.Kind != NoMark })
}

// AskFact asks a random question for one of several things: whether the picture
// shows a tree, a boat, red ink. Every family has such questions.
func AskFact(rng *rand.Rand, s Scene) Question {
	q, _ := askAmong(rng, s, Mark{}, func(t topic) bool { return t.words != nil })
	return q
}

// askAmong asks a random question of a topic that fits, with a given mark.
func askAmong(rng *rand.Rand, s Scene, m Mark, fits func(topic) bool) (Question, bool) {
	list := slices.DeleteFunc(topics(s.Family), func(t topic) bool { return !fits(t) })
	if len(list) == 0 {
		return Question{}, false
	}
	t := pick(rng, list)
	q := Question{Topic: t.name, Mark: m}
	word := t.fill(rng, s, &q)
	q.Text = phrase(pick(rng, t.texts), word)
	return q, true
}
