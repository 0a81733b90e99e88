package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/dualprocess/dualprocess-go/study"
)

// questionsAsked are how many questions a verifier is asked about one picture.
var questionsAsked = []int{1, 2, 5, 10}

// questions is the study of what further questions about a picture cost: the vision tower, and the decoder's pass over the
// picture's tokens, are to be paid once.
type questions struct {
	bench     *bench
	verifiers []subject
}

// studyQuestions asks all verifiers.
func (b *bench) studyQuestions(ctx context.Context, subjects []subject, folder string) error {
	q := &questions{bench: b}
	for _, s := range subjects {
		if s.Kind == verifiers {
			q.verifiers = append(q.verifiers, s)
		}
	}
	if len(q.verifiers) == 0 {
		return errors.New("-questions: no verifier is named with -models")
	}
	return b.study(ctx, "questions", q, folder)
}

// Plan has a row for every verifier.
func (q *questions) Plan() (study.Plan, error) {
	settings := map[string]any{"settings": q.bench.settings, "machine": machine()}
	p := study.Plan{Name: "asked", Title: "Questions about one picture: loss and gradient", Settings: settings}
	for _, v := range q.verifiers {
		settings[v.Name] = v.plan
		for _, n := range questionsAsked {
			p.Cells = append(p.Cells, study.Cell{Row: v.Title, Column: strconv.Itoa(n)})
		}
	}
	return p, nil
}

// Measure times a verifier's gradient.
func (q *questions) Measure(ctx context.Context, _ *study.Bench, c study.Cell) (m study.Measurement, err error) {
	n, err := strconv.Atoi(c.Column)
	if err != nil {
		return m, err
	}
	at := slices.IndexFunc(q.verifiers, func(s subject) bool { return s.Title == c.Row })
	file, err := q.bench.prepare(ctx, q.verifiers[at], scale{Questions: n})
	if err != nil {
		return m, err
	}
	return q.bench.timing(ctx, file)
}

// Summarize has the milliseconds of one question, and how much more others cost.
func (q *questions) Summarize(r *study.Report, _ study.Bootstrap) (study.Table, *study.Figure) {
	t := study.Table{Columns: []string{"verifier", "one, ms"}}
	for _, n := range questionsAsked[1:] {
		t.Columns = append(t.Columns, fmt.Sprintf("%d, of one", n))
	}
	t.Columns = append(t.Columns, "memory for the last, of one")
	f := &study.Figure{Title: r.Title, X: "questions", Y: "time, of one"}
	for _, v := range q.verifiers {
		if row, line := q.summarize(r, v.Title); len(row.Entries) > 0 {
			t.Rows, f.Series = append(t.Rows, row), append(f.Series, line)
		}
	}
	return t, f
}

// summarize is a verifier's row and line; they are empty before one question was timed.
func (q *questions) summarize(r *study.Report, title string) (study.Row, study.Series) {
	row, line := study.Row{Name: title}, study.Series{Name: title}
	one, ok := r.Cell(study.Cell{Row: title, Column: "1"})
	if !ok {
		return row, line
	}
	row.Entries = []study.Entry{{Text: fmt.Sprintf("%.0f", 1e3*float64(one.Value))}}
	last := one
	for _, n := range questionsAsked {
		c, ok := r.Cell(study.Cell{Row: title, Column: strconv.Itoa(n)})
		if !ok {
			break
		}
		least, most := extremes(c.Samples)
		line.X, line.Y = append(line.X, study.Number(n)), append(line.Y, interval(float64(c.Value), least, most, float64(one.Value)))
		if n > 1 {
			row.Entries = append(row.Entries, study.Entry{Text: fmt.Sprintf("%.2f", float64(c.Value/one.Value))})
		}
		last = c
	}
	for len(row.Entries) < len(questionsAsked) {
		row.Entries = append(row.Entries, study.Entry{})
	}
	row.Entries = append(row.Entries, study.Entry{Text: fmt.Sprintf("%.2f", float64(last.Numbers[peakBytes]/one.Numbers[peakBytes]))})
	return row, line
}
