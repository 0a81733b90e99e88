// Package teaching is what the verifier is taught: questions about scenes of the
// pocket world with soft answers, attributes that are true or false, and scenes
// in which something is missing.
package teaching

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
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
	Mark      world.Mark
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
		d := (world.Clamp(v) - (float64(k)+.5)/float64(n)) / positionSpread
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
	unmarked = -4.5 // about a mark that is not there

	foreignShare  = .08 // of the questions are of another family
	unmarkedShare = .14 // of the questions about a mark lack it
	strayShare    = .10 // of the other questions have a mark they do not ask about
	inaptShare    = .15 // of the topics about what only some scenes have stay for the others
	gradedFrom    = .3  // how far a picture must be in a palette's colours for nothing to be asked about its own
)

// filler sets the answer for a scene and returns what stands for a text's "%s".
type filler func(rng *rand.Rand, s world.Scene, q *Question) string

// topic is one thing that can be asked of a family.
type topic struct {
	name   string
	weight int            // how often it is asked
	mark   world.MarkKind // what it needs
	own    bool           // makes no sense for other families, where the answer is no
	hue    bool           // is answered by colours, which those of a palette hide
	// apt tells whether a scene has what the topic is about; nil = all of the family do.
	apt   func(s world.Scene) bool
	texts []string // wordings; "%s" stands for what fill returns
	fill  filler
	// words lists all that can stand for "%s"; nil where nothing does.
	words []string
}

func topics(f world.Family) []topic {
	switch f {
	case world.Landscape:
		return landscapeTopics()
	case world.Drawing:
		return drawingTopics()
	case world.Room:
		return roomTopics()
	case world.Lake:
		return lakeTopics()
	case world.Lamp:
		return lampTopics()
	case world.Tree:
		return treeTopics()
	default:
		return houseTopics()
	}
}

// askable lists the topics that can be asked of a scene. Where it lacks what a topic is
// about the answer is always no, which takes few questions to learn.
func askable(rng *rand.Rand, s world.Scene) []topic {
	return slices.DeleteFunc(append(topics(s.Family), paletteTopic()), func(t topic) bool {
		return t.hue && graded(s) || t.apt != nil && !t.apt(s) && rng.Float64() >= inaptShare
	})
}

// graded tells whether a picture's own colours cannot be told any more.
func graded(s world.Scene) bool { return s.Grade > gradedFrom }

// Ask asks a random question about a scene, sometimes one that belongs to
// another family.
func Ask(rng *rand.Rand, s world.Scene) Question {
	if rng.Float64() < foreignShare {
		f := world.Family(rng.IntN(len(world.Families())))
		if f != s.Family && !resembles(s, f) {
			return askForeign(rng, f)
		}
	}
	list := askable(rng, s)
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

// ask asks about a scene, at times without the mark that the question is about, or
// under a mark that it is not about.
func (t topic) ask(rng *rand.Rand, s world.Scene) Question {
	q := Question{Topic: t.name}
	if t.mark != world.NoMark {
		q.Mark = world.RandomMark(rng, t.mark, s)
	}
	word := t.fill(rng, s, &q)
	q.Text = phrase(pick(rng, t.texts), word)
	switch {
	case t.mark != world.NoMark && rng.Float64() < unmarkedShare:
		q.mislead(rng, s, t.mark)
	case t.mark == world.NoMark && rng.Float64() < strayShare:
		q.Mark = world.RandomMark(rng, pick(rng, world.Marks()), s)
	}
	return q
}

// mislead takes away the mark that a question is about, or puts one of another kind
// in its place. Horizontal lines belong to compositions, too.
func (q *Question) mislead(rng *rand.Rand, s world.Scene, about world.MarkKind) {
	q.Mark, q.Logit = world.Mark{}, math.Min(q.Logit, unmarked)
	if other := pick(rng, world.Marks()); rng.IntN(2) == 0 && other != about && !(about == world.LineMark && other == world.CompositionMark) {
		q.Mark = world.RandomMark(rng, other, s)
	}
}

// resembles tells whether a scene has what another family's questions are about, so
// that they aren't foreign to it: a horizon, a tree, a house.
func resembles(s world.Scene, f world.Family) bool {
	switch f {
	case world.Landscape:
		return s.Family == world.Lake || s.Family == world.Tree || s.Family == world.House || s.Family == world.Room && s.Place == "beach"
	case world.Tree:
		return slices.Contains(s.Things(), "tree")
	case world.House:
		return slices.Contains(s.Things(), "house")
	}
	return false
}

// askForeign asks a family's question of a picture of another family.
func askForeign(rng *rand.Rand, f world.Family) Question {
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
	if t.mark != world.NoMark {
		q.Mark = world.RandomMark(rng, t.mark, world.NewScene(rng, f, world.Broad))
	}
	return q
}

// phrase puts a word into a text's place for it; the verb agrees with the word.
func phrase(text, word string) string {
	if word == world.Mountains || word == world.Clouds {
		text = strings.Replace(text, "Is there", "Are there", 1)
	}
	return strings.ReplaceAll(text, "%s", word)
}

// fact is the target of a plain fact whose subject is gone to some degree.
func fact(is bool, gone float64) float64 {
	if is {
		return dwindle(certain, gone, -certain)
	}
	return -certain
}

// dwindle moves a logit to that of an absent subject as the degree grows.
func dwindle(logit, gone, absent float64) float64 { return world.Lerp(logit, absent, gone) }

// NeedsMark tells whether questions of the named topic are about a mark.
func NeedsMark(name string) bool {
	for _, f := range world.Families() {
		for _, t := range append(topics(f), paletteTopic()) {
			if t.name == name {
				return t.mark != world.NoMark
			}
		}
	}
	return false
}

// AskMarked asks a random question about a mark that already lies over the
// picture. It reports false where the scene's family has none for such a mark.
func AskMarked(rng *rand.Rand, s world.Scene, m world.Mark) (Question, bool) {
	return askAmong(rng, s, m, func(t topic) bool { return t.mark == m.Kind && m.Kind != world.NoMark })
}

// AskFact asks a random question for one of several things: whether the picture
// shows a tree, a boat, red ink. Every family has such questions; of a picture in a
// palette's colours it asks any question without a mark.
func AskFact(rng *rand.Rand, s world.Scene) Question {
	q, ok := askAmong(rng, s, world.Mark{}, func(t topic) bool { return t.words != nil })
	if !ok {
		q, _ = askAmong(rng, s, world.Mark{}, func(t topic) bool { return t.mark == world.NoMark })
	}
	return q
}

// askAmong asks a random question of a topic that fits, with a given mark.
func askAmong(rng *rand.Rand, s world.Scene, m world.Mark, fits func(topic) bool) (Question, bool) {
	list := slices.DeleteFunc(askable(rng, s), func(t topic) bool { return !fits(t) })
	if len(list) == 0 {
		return Question{}, false
	}
	t := pick(rng, list)
	q := Question{Topic: t.name, Mark: m}
	word := t.fill(rng, s, &q)
	q.Text = phrase(pick(rng, t.texts), word)
	return q, true
}

func pick[T any](rng *rand.Rand, list []T) T { return list[rng.IntN(len(list))] }

func uniform(rng *rand.Rand, low, high float64) float64 { return low + (high-low)*rng.Float64() }
