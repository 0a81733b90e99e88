package show

import (
	"context"
	"image"
	"math"

	"github.com/dualprocess/dualprocess-go/dualprocess"
)

// Validation pictures of -guard: their number for every prompt, and the bounds on them,
// those that dualprocess.Bounds tells of.
const guardedSeeds = 2

var guardedBounds = dualprocess.Bounds{Dark: .075, Entropy: .75, Spread: 2.5}

// guard puts the guards of -guard into a task: the measurement is the judge, together with
// the qualities that a picture by itself has or has not. What is as asked and has lost its
// subject is not as asked.
func (c *Control) guard(t *dualprocess.Task) {
	t.StopAt.Window, t.StopAt.Every = 0, 10
	t.StopAt.Seeds = nil
	for k := range guardedSeeds * len(t.Prompts) {
		t.StopAt.Seeds = append(t.StopAt.Seeds, 1<<41+int64(k))
	}
	t.Bounds = guardedBounds
	if c.measure.Paints {
		t.Bounds.Dark, t.Bounds.Entropy = 0, 0
	}
	if c.measure.Guard || c.measure.Of == nil {
		return // it cannot tell what was asked for, or not by one picture
	}
	judge := measured{c.measure}
	for _, q := range c.quality {
		if q.Share && q.Of != nil {
			judge = append(judge, q)
		}
	}
	t.Judge.Scorer = judge
	for _, prompt := range t.Prompts { // which a Scorer is not told otherwise
		t.Judge.Questions = append(t.Judge.Questions, dualprocess.Question{Text: prompt, Answer: "Yes", Prompts: []string{prompt}})
	}
}

// measured are gauges that judge together.
type measured []Gauge

// Score is how sure all of them are.
func (m measured) Score(ctx context.Context, picture image.Image, q dualprocess.Question) (float64, error) {
	p := 1.
	for _, g := range m {
		one, err := g.Score(ctx, picture, q)
		if err != nil {
			return 0, err
		}
		p *= one
	}
	return p, nil
}

// Score makes a Scorer of a gauge: of a question without overlay whose text is the
// picture's prompt, it says how sure it is that the picture is as asked.
func (g Gauge) Score(_ context.Context, picture image.Image, q dualprocess.Question) (float64, error) {
	value := g.Of(picture, q.Text)
	switch {
	case math.IsNaN(value):
		return 0, nil // it is not to be seen
	case g.Half == 0:
		return min(max(value, 0), 1), nil
	}
	p := 1 / (1 + math.Pow(g.Half/max(value, 0), 4))
	return choose(g.Less, 1-p, p), nil
}

// findingsRecord is what the guards found at a validation.
type findingsRecord struct {
	Before    evidenceRecord `json:"before"`
	After     evidenceRecord `json:"after"`
	Suspected []string       `json:"suspected_reward_hacking"`
}

type evidenceRecord struct {
	P       Number `json:"p"`
	Judge   Number `json:"judge"`
	Dark    Number `json:"dark"`
	Edges   Number `json:"edges"`
	Entropy Number `json:"entropy"`
	Spread  Number `json:"spread"`
}

func newFindingsRecord(f *dualprocess.Findings) *findingsRecord {
	if f == nil {
		return nil
	}
	evidence := func(e dualprocess.Evidence) evidenceRecord {
		s := e.Statistics
		return evidenceRecord{Number(e.P), Number(e.Judge), Number(s.Dark), Number(s.Edges), Number(s.Entropy), Number(s.Spread)}
	}
	return &findingsRecord{evidence(f.Before), evidence(f.After), append([]string{}, f.Hacking.Reasons...)}
}

// printFindings says what the guards found while the control was trained.
func (c *Control) printFindings() {
	validations, suspected, first := 0, 0, updateRecord{}
	for _, u := range c.record.Training["updates"] {
		if u.Findings == nil {
			continue
		}
		if validations++; len(u.Findings.Suspected) > 0 {
			if suspected++; suspected == 1 {
				first = u
			}
		}
	}
	switch {
	case validations == 0:
	case suspected == 0:
		c.run.printf("  guards: %d validations, nothing suspected\n", validations)
	default:
		c.run.printf("  guards: REWARD HACKING SUSPECTED in %d of %d validations, first after update %d:\n", suspected, validations, first.Number)
		for _, reason := range first.Findings.Suspected {
			c.run.printf("    - %s\n", reason)
		}
		c.run.printf("  the adapter is the best of those not suspected%s\n", choose(suspected == validations, "; as there is none, of all", ""))
	}
}
