package study

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/lora"
)

// Reliability is the paper's Table 4: what is gained over the base model when a share of
// the questions cover what common sense expects, and the others miss it. Accuracy, rules
// and judge are those of Commonsense.
//
// As every prompt has an adapter of its own, each rule is trained once with reliable
// questions and once with others, and a share says of how many rules the reliable ones
// count. Which rules these are is drawn once, and those of a small share are among those
// of a larger one.
type Reliability struct {
	Commonsense
	Shares []float64 // of reliable questions, in [0, 1]; nil = the paper's 0, 0.25, 0.5, 0.75, 1
	// Reliable makes a question that covers what is expected, as the paper does of the
	// published descriptions; nil = the rule's question, else Ask of its description.
	Reliable func(Side) dualprocess.Question
	// Unreliable makes one that misses it; nil = the rule's vague question, else whether
	// the picture fits the prompt.
	Unreliable func(Side) dualprocess.Question
}

// The rows of the study's cells; its table has them mixed.
const (
	unreliable = "unreliable questions"
	reliable   = "reliable questions"
)

// Plan has a cell for each kind of question and rule.
func (s *Reliability) Plan() (Plan, error) {
	if err := s.resolve(); err != nil {
		return Plan{}, err
	}
	settings := reliabilitySettings{Commonsense: s.Commonsense.settings(), Shares: s.Shares}
	p := Plan{Name: "table4", Title: "Table 4: gain in accuracy against the share of reliable questions, in points"}
	for k, rule := range s.Rules {
		for _, side := range rule.Sides {
			settings.Questions = append(settings.Questions, settingsOf(s.Reliable(side), s.Unreliable(side))...)
		}
		for _, row := range []string{noControl, unreliable, reliable} {
			p.Cells = append(p.Cells, Cell{row, rule.Category, ruleName(k)})
		}
	}
	p.Settings = settings
	return p, nil
}

type reliabilitySettings struct {
	Commonsense commonsenseSettings `json:"commonsense"`
	Shares      []float64           `json:"shares"`
	Questions   []questionSettings  `json:"questions"` // of every side: reliable, unreliable
}

func (s *Reliability) resolve() error {
	if err := s.Commonsense.resolveJudge(); err != nil { // the questions are this study's
		return err
	}
	if s.Shares == nil {
		s.Shares = []float64{0, .25, .5, .75, 1}
	}
	for k, share := range s.Shares {
		if !(share >= 0 && share <= 1) {
			return fmt.Errorf("%w: Shares[%d] is %g, must be in [0, 1]", ErrSettings, k, share)
		}
	}
	if s.Reliable == nil {
		s.Reliable = func(side Side) dualprocess.Question {
			if side.Question != "" {
				return side.question()
			}
			return s.Ask(side.Description)
		}
	}
	if s.Unreliable == nil {
		s.Unreliable = func(side Side) dualprocess.Question {
			if side.Vague != "" {
				return dualprocess.Question{Text: side.Vague, Answer: "Yes"}
			}
			return s.Ask(side.Prompt)
		}
	}
	return nil
}

// Measure makes and judges the pictures of a rule, without adapters or with those of one
// kind of questions.
func (s *Reliability) Measure(ctx context.Context, b *Bench, c Cell) (Measurement, error) {
	rule, k, err := s.rule(c)
	if err != nil {
		return Measurement{}, err
	}
	return s.judged(ctx, b, rule, func(side int) (prompt string, a *lora.Adapter, err error) {
		prompt = rule.Sides[side].Prompt
		question := s.Reliable
		switch c.Row {
		case noControl:
			return prompt, nil, nil
		case unreliable:
			question = s.Unreliable
		}
		a, err = b.Train(ctx, adapterName(k, side)+" "+c.Row, s.task(prompt, question(rule.Sides[side])))
		return prompt, a, err
	})
}

// Summarize makes the paper's Table 4, and a figure of it. The intervals are of the
// rules' differences.
func (s *Reliability) Summarize(r *Report, b Bootstrap) (Table, *Figure) {
	t := Table{Columns: []string{"Reliable questions"}, Rows: []Row{{Name: "Accuracy from No Control"}, {Name: "paper, FLUX.1 schnell"}}}
	series := Series{Name: t.Rows[0].Name}
	for _, share := range s.Shares {
		gain := b.Mean(s.gains(r, share))
		t.Columns = append(t.Columns, fmt.Sprintf("%.4g %%", 100*share))
		e := entry(gain, 100, 1)
		if gain.Mean > 0 {
			e.Text = "+" + e.Text
		}
		t.Rows[0].Entries = append(t.Rows[0].Entries, e)
		number, ok := map[float64]string{0: "+20.1", .25: "+23.9", .5: "+24.8", .75: "+27.1", 1: "+28.2"}[share]
		if !ok {
			number = none
		}
		t.Rows[1].Entries = append(t.Rows[1].Entries, Entry{Text: number})
		series.X, series.Y = append(series.X, Number(100*share)), append(series.Y, gain.times(100))
	}
	for _, row := range []string{noControl, unreliable, reliable} {
		if results := r.Where(row, ""); len(results) > 0 {
			t.Notes = append(t.Notes, s.ties(row, results))
		}
	}
	f := &Figure{Title: r.Title, X: "reliable questions, %", Y: "gain in accuracy, points", Series: []Series{series}}
	return t, f
}

// gains are the rules' differences from no control when a share of them has reliable
// questions. Rules that have not been measured in full are left out.
func (s *Reliability) gains(r *Report, share float64) [][]float64 {
	var out [][]float64
	order := rand.New(rand.NewPCG(uint64(s.Task.Seed), 0)).Perm(len(s.Rules))
	for place, k := range order {
		row := unreliable
		if place < int(math.Round(share*float64(len(order)))) {
			row = reliable
		}
		rule := s.Rules[k]
		base, begun := r.Cell(Cell{noControl, rule.Category, ruleName(k)})
		ours, done := r.Cell(Cell{row, rule.Category, ruleName(k)})
		if begun && done {
			out = append(out, []float64{float64(ours.Value - base.Value)})
		}
	}
	return out
}
