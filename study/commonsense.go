package study

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/lora"
)

// Commonsense is the paper's Table 1: how often pictures show what common sense says of
// their prompts, by the protocol of CommonsenseT2I. For each of a rule's two prompts
// four pictures are made, and a judge says of each whether it fits the one description
// and the other. Pictures are taken in pairs, one of either prompt with the same number,
// and a pair is right if the first fits the first description alone and the second the
// second. A picture that fits both cannot be, says the benchmark, and draws lots; here it
// counts for half, which is what the lots come to on average, and how often it happens
// is in the notes.
//
// As in the paper, "ours" has an adapter for each prompt, trained on that prompt with a
// question about it. The same adapters are then used with the expanded prompts.
type Commonsense struct {
	Setup
	Rules []Rule

	// Judge says P(Yes) of the questions of Ask. It should be another model than the
	// verifier that teaches, as in the paper; nil = the verifier, if it is a Scorer.
	Judge dualprocess.Scorer
	// Ask makes a question of a description; nil = Fits.
	Ask func(description string) dualprocess.Question
	// Compare says that a picture fits the description whose question has the higher P,
	// which is the benchmark's way for CLIP. Otherwise a description fits from P = 0.5 on.
	Compare bool
	// Writer writes the questions and expanded prompts that the rules do not have. nil =
	// nobody does: a rule without a question is an error, and the rows of expanded prompts
	// are left out unless all rules have them.
	Writer Writer
}

// Writer writes what a person would else have to.
type Writer interface {
	// Expand says a prompt again with what is to be expected of the picture in words.
	Expand(ctx context.Context, prompt string) (string, error)
	// Question returns a question that tells pictures with what is to be expected of
	// the prompt from others, by its answer. It sees the prompt alone.
	Question(ctx context.Context, prompt string) (dualprocess.Question, error)
}

// Fits is the paper's question about a description.
func Fits(description string) dualprocess.Question {
	return dualprocess.Question{Text: fmt.Sprintf("Does the image generally fit the description \"%s\"?", description), Answer: "Yes"}
}

// The rows of Table 1.
const (
	rowBase         = "Base Prompt"
	rowBaseOurs     = "Base Prompt + Ours"
	rowExpanded     = "Expanded Prompt"
	rowExpandedOurs = "Expanded Prompt + Ours"
)

// Plan has a cell for each row and rule; its columns are the categories.
func (s *Commonsense) Plan() (Plan, error) {
	if err := s.resolve(); err != nil {
		return Plan{}, err
	}
	p := Plan{Name: commonsenseName, Title: "Table 1: common sense, accuracy in percent", Settings: s.settings()}
	for k, rule := range s.Rules {
		for _, row := range s.rows() {
			p.Cells = append(p.Cells, Cell{row, rule.Category, ruleName(k)})
		}
	}
	return p, nil
}

// commonsenseName is the study's name among those of a folder.
const commonsenseName = "table1"

// rows are the methods that can be compared.
func (s *Commonsense) rows() []string {
	rows := []string{rowBase, rowBaseOurs}
	if s.expands() {
		rows = append(rows, rowExpanded, rowExpandedOurs)
	}
	return rows
}

func (s *Commonsense) resolve() error {
	if err := s.resolveJudge(); err != nil {
		return err
	}
	for k, r := range s.Rules {
		if s.Writer == nil && (r.Sides[0].Question == "" || r.Sides[1].Question == "") {
			return fmt.Errorf("%w: rule %d has no question and there is no Writer", ErrSettings, k+1)
		}
	}
	return nil
}

// resolveJudge is resolve but for the questions that are trained with.
func (s *Commonsense) resolveJudge() error {
	if err := s.Setup.resolve(4); err != nil {
		return err
	}
	if s.Ask == nil {
		s.Ask = Fits
	}
	if s.Judge == nil {
		scorer, ok := s.Task.Verifier.(dualprocess.Scorer)
		if !ok {
			return fmt.Errorf("%w: Judge must be given, for the verifier is no Scorer", ErrSettings)
		}
		s.Judge = scorer
	}
	if len(s.Rules) == 0 {
		return fmt.Errorf("%w: Rules must be given", ErrSettings)
	}
	if s.Short {
		s.Rules = s.Rules[:1]
	}
	return nil
}

// expands tells whether there are expanded prompts.
func (s *Commonsense) expands() bool {
	for _, r := range s.Rules {
		if s.Writer == nil && (r.Sides[0].Expanded == "" || r.Sides[1].Expanded == "") {
			return false
		}
	}
	return true
}

type commonsenseSettings struct {
	Setup   setupSettings      `json:"setup"`
	Judge   string             `json:"judge"`
	Ask     []questionSettings `json:"ask"`
	Compare bool               `json:"compare"`
	Writer  string             `json:"writer,omitempty"`
	Rules   []Rule             `json:"rules"`
}

func (s *Commonsense) settings() commonsenseSettings {
	out := commonsenseSettings{Setup: s.Setup.settings(), Judge: fmt.Sprintf("%T", s.Judge), Ask: settingsOf(s.Ask("…")), Compare: s.Compare, Rules: s.Rules}
	if s.Writer != nil {
		out.Writer = fmt.Sprintf("%T", s.Writer)
	}
	return out
}

func ruleName(k int) string { return fmt.Sprintf("rule %d", k+1) }

// rule returns the rule of a cell and its number.
func (s *Commonsense) rule(c Cell) (Rule, int, error) {
	for k, r := range s.Rules {
		if ruleName(k) == c.Repeat {
			return r, k, nil
		}
	}
	return Rule{}, 0, fmt.Errorf("%w: there is no %s", ErrSettings, c.Repeat)
}

// Measure makes and judges the pictures of a rule in one row.
func (s *Commonsense) Measure(ctx context.Context, b *Bench, c Cell) (Measurement, error) {
	rule, k, err := s.rule(c)
	if err != nil {
		return Measurement{}, err
	}
	return s.judged(ctx, b, rule, func(side int) (string, *lora.Adapter, error) { return s.method(ctx, b, c.Row, k, side) })
}

// method is how a row makes pictures of a side of rule k: by which prompt and adapter.
func (s *Commonsense) method(ctx context.Context, b *Bench, row string, k, side int) (prompt string, a *lora.Adapter, err error) {
	prompt = s.Rules[k].Sides[side].Prompt
	if row == rowBaseOurs || row == rowExpandedOurs {
		question, err := s.question(ctx, b, k, side)
		if err != nil {
			return "", nil, err
		}
		if a, err = b.Train(ctx, adapterName(k, side), s.task(prompt, question)); err != nil {
			return "", nil, err
		}
	}
	if row == rowExpanded || row == rowExpandedOurs {
		prompt, err = s.expanded(ctx, b, k, side)
	}
	return prompt, a, err
}

// question is that of the data, else the writer's.
func (s *Commonsense) question(ctx context.Context, b *Bench, k, side int) (dualprocess.Question, error) {
	own := s.Rules[k].Sides[side]
	if own.Question != "" {
		return own.question(), nil
	}
	return once(b, adapterName(k, side)+" question", func() (dualprocess.Question, error) { return s.Writer.Question(ctx, own.Prompt) })
}

// expanded is the prompt of the data, else the writer's.
func (s *Commonsense) expanded(ctx context.Context, b *Bench, k, side int) (string, error) {
	own := s.Rules[k].Sides[side]
	if own.Expanded != "" {
		return own.Expanded, nil
	}
	return once(b, adapterName(k, side)+" expanded", func() (string, error) { return s.Writer.Expand(ctx, own.Prompt) })
}

// adapterName is that of a side's adapter, and of what is written for it.
func adapterName(k, side int) string { return fmt.Sprintf("%s prompt %d", ruleName(k), side+1) }

// judged makes pictures of both sides of a rule, as how says, and judges them in pairs.
func (s *Commonsense) judged(ctx context.Context, b *Bench, rule Rule, how func(side int) (string, *lora.Adapter, error)) (Measurement, error) {
	m := Measurement{Numbers: map[string]Number{}}
	for side := range rule.Sides {
		prompt, adapter, err := how(side)
		if err != nil {
			return m, err
		}
		images, err := b.Pictures(ctx, s.Task, prompt, s.Seeds, adapter)
		if err != nil {
			return m, err
		}
		for k, img := range images {
			b.report("judging", len(m.Samples)+1, len(rule.Sides)*len(images))
			sample := Sample{Prompt: prompt, Seed: s.Seeds[k], Group: fmt.Sprintf("prompt %d", side+1)}
			if sample.Values, err = s.judge(ctx, img, rule); err != nil {
				return m, err
			}
			if sample.Picture, err = b.Keep(img, fmt.Sprintf("prompt %d seed %d", side+1, k+1)); err != nil {
				return m, err
			}
			m.Samples = append(m.Samples, sample)
		}
	}
	s.score(&m)
	return m, nil
}

// The values of a sample: P(Yes) of the rule's descriptions.
const fits1, fits2 = "fits description 1", "fits description 2"

// judge asks about both descriptions.
func (s *Commonsense) judge(ctx context.Context, img image.Image, rule Rule) (map[string]Number, error) {
	values := map[string]Number{}
	for k, name := range []string{fits1, fits2} {
		p, err := s.Judge.Score(ctx, img, s.Ask(rule.Sides[k].Description))
		if err != nil {
			return nil, fmt.Errorf("judge: %w", err)
		}
		if math.IsNaN(p) {
			return nil, errors.New("judge: it said NaN")
		}
		values[name] = Number(p)
	}
	return values, nil
}

// score sets the cell's value, the share of pairs that are right, and counts ties.
func (s *Commonsense) score(m *Measurement) {
	pairs := len(m.Samples) / 2
	var right []float64
	ties, neither := 0, 0
	for k := range pairs {
		first, second := m.Samples[k].Values, m.Samples[pairs+k].Values
		right = append(right, s.fits(first[fits1], first[fits2])*s.fits(second[fits2], second[fits1]))
	}
	for _, sample := range m.Samples {
		switch one, two := s.yes(sample.Values[fits1]), s.yes(sample.Values[fits2]); {
		case one && two:
			ties++
		case !one && !two:
			neither++
		}
	}
	m.Value = Number(mean(right))
	m.Numbers["both yes"], m.Numbers["both no"], m.Numbers["pictures"] = Number(ties), Number(neither), Number(len(m.Samples))
}

// fits tells how much a picture counts as fitting its own description rather than the
// other: 1, 0, or a half where lots are drawn.
func (s *Commonsense) fits(own, other Number) float64 {
	switch {
	case s.Compare && own > other, !s.Compare && s.yes(own) && !s.yes(other):
		return 1
	case !s.Compare && s.yes(own) && s.yes(other):
		return .5
	}
	return 0
}

// yes tells what the likelier word is.
func (s *Commonsense) yes(p Number) bool { return p >= .5 }
