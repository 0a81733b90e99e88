package pocket

import (
	"image"
	"math/rand/v2"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/pocket/teaching"
	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
	"github.com/dualprocess/dualprocess-go/study"
)

// Discernment is Table 3, for pictures whose labels are known because they are drawn.
func Discernment(judges ...study.Judge) *study.Discernment {
	return &study.Discernment{Judges: judges, Pictures: Drawn(500, 0)}
}

// JudgeOf is the task's verifier as a judge of Discernment; false if it is no Scorer.
func JudgeOf(t dualprocess.Task, name string) (study.Judge, bool) {
	scorer, ok := t.Verifier.(dualprocess.Scorer)
	return study.Judge{Name: name, Scorer: scorer}, ok
}

// What Drawn draws.
const (
	drawnSide = 64
	clear     = .9 // certainty of an answer from which it is a label
)

// Drawn draws n pictures of the pocket world with questions of which the answer is
// certain, as many Yes as No, all families in turn.
func Drawn(n int, seed uint64) []study.Labelled {
	rng := rand.New(rand.NewPCG(seed, 3))
	var out []study.Labelled
	for len(out) < n {
		k := len(out)
		families := world.Families()
		scene := world.NewScene(rng, families[k/2%len(families)], world.Broad)
		question := teaching.Ask(rng, scene)
		wanted := k%2 == 0
		if p := question.Yes(); question.Positions != nil || wanted && p < clear || !wanted && p > 1-clear {
			continue
		}
		picture := question.Mark.Over(scene.Draw(drawnSide))
		out = append(out, study.Labelled{Image: picture.Image(), Question: question.Text, Yes: wanted, Topic: scene.Family.String()})
	}
	return out
}

// perSide is how many pictures of each side of a rule are drawn.
const perSide = 16

// obedient draws pictures of both sides of every rule as they should be: of its expanded
// prompts.
func obedient(rules []study.Rule) study.Pictures {
	return study.Pictures{Name: "drawn, by the rules", All: func(yield func(image.Image, error) bool) {
		rng := rand.New(rand.NewPCG(1, 5))
		for _, rule := range rules {
			for _, side := range rule.Sides {
				caption, err := world.Parse(side.Expanded)
				if err != nil {
					yield(nil, err)
					return
				}
				for range perSide {
					if !yield(worldOf(rng, caption).Draw(drawnSide).Image(), nil) {
						return
					}
				}
			}
		}
	}}
}

// worldOf draws a scene that has a caption's parts and is as it says: a lake that is not
// said to be frozen is not.
func worldOf(rng *rand.Rand, caption world.Scene) world.Scene {
	for {
		s := world.NewScene(rng, caption.Family, world.Narrow)
		if s.Caption() == caption.Caption() && (s.Amount > .5) == s.Said {
			return s
		}
	}
}
