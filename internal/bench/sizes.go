package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/study"
)

// tasks is the kind of orders for whole updates, of a generator with a verifier.
const tasks = "task"

// axis is what an update grows by.
type axis struct {
	name   string // of the study
	label  string
	values []int
	set    func(s *scale, value int)
}

// middle is the scale that the axes cross in.
var middle = scale{Side: 256, Questions: 1, Batch: 1, Rank: 16}

var axes = []axis{
	{"pixels", "side of the picture in pixels", []int{64, 128, 256, 384, 512}, func(s *scale, v int) { s.Side = v }},
	{"questions", "questions about the picture", questionsAsked, func(s *scale, v int) { s.Questions = v }},
	{"batch", "pictures at once", []int{1, 2, 4, 8}, func(s *scale, v int) { s.Batch = v }},
	{"rank", "rank of the adapter", []int{4, 16, 32, 64, 128}, func(s *scale, v int) { s.Rank = v }},
}

// sizes is the study of an update's cost along an axis: a process of its own for every size, whose updates are timed.
type sizes struct {
	axis
	bench               *bench
	generator, verifier subject
	order               order // without its scale
}

// studySizes measures along all axes, and leaves tables and numbers in a folder.
func (b *bench) studySizes(ctx context.Context, subjects []subject, folder string) error {
	if len(subjects) != 2 || subjects[0].Kind != generators || subjects[1].Kind != verifiers {
		return errors.New("-sizes: name one generator and one verifier with -models, such as sd,qwen25vl")
	}
	o, err := b.taskOrder(ctx, subjects[0], subjects[1])
	if err != nil {
		return err
	}
	for _, a := range axes {
		if err := b.study(ctx, a.name, &sizes{a, b, subjects[0], subjects[1], o}, folder); err != nil {
			return err
		}
	}
	return nil
}

// Plan has a cell for every size.
func (s *sizes) Plan() (study.Plan, error) {
	p := study.Plan{
		Name: s.name, Title: fmt.Sprintf("An update of %s with %s: %s", s.generator.Title, s.verifier.Title, s.label),
		Settings: map[string]any{"settings": s.bench.settings, "middle": middle, "generator": s.generator.plan, "verifier": s.verifier.plan, "machine": machine()},
	}
	for _, v := range s.values {
		p.Cells = append(p.Cells, s.cell(v))
	}
	return p, nil
}

func (s *sizes) cell(value int) study.Cell {
	return study.Cell{Row: "update", Column: strconv.Itoa(value)}
}

// Measure times the updates of one size.
func (s *sizes) Measure(ctx context.Context, _ *study.Bench, c study.Cell) (m study.Measurement, err error) {
	value, err := strconv.Atoi(c.Column)
	if err != nil {
		return m, err
	}
	o := s.order
	o.Scale = middle
	s.set(&o.Scale, value)
	file := filepath.Join(s.bench.work, tasks+".json")
	if err := o.write(file); err != nil {
		return m, err
	}
	planned, err := o.operations(ctx)
	if err != nil {
		return m, err
	}
	if m, err = s.bench.timing(ctx, file); err != nil {
		return m, err
	}
	m.Numbers[operations] = planned
	return m, nil
}

// taskOrder writes the checkpoints of a generator and a verifier, and returns the order of their updates.
func (b *bench) taskOrder(ctx context.Context, g, v subject) (o order, err error) {
	work, err := filepath.Abs(b.work)
	if err != nil {
		return o, err
	}
	o = order{
		Kind: tasks, DType: b.DType, Threads: b.Threads, Backend: b.Backend, Options: g.Options,
		Checkpoint: filepath.Join(work, tasks, g.Name), Verifier: filepath.Join(work, tasks, v.Name),
	}
	return o, errors.Join(b.write(ctx, g, o.Checkpoint), b.write(ctx, v, o.Verifier))
}

// operations are those that an update is planned to take.
func (o order) operations(ctx context.Context) (study.Number, error) {
	rt, err := backends.Sketch(ctx, backends.Options{Backend: o.Backend, Memory: 1 << 50})
	if err != nil {
		return 0, err
	}
	t, models, err := o.task(ctx, rt)
	defer func() {
		for _, m := range append([]io.Closer{rt}, models...) {
			_ = m.Close() // nothing was computed
		}
	}()
	if err != nil {
		return 0, err
	}
	needs, err := dualprocess.Plan(ctx, t)
	if err != nil {
		return 0, err
	}
	return study.Number(needs.Operations), nil
}

// Summarize has a row for every size, and two lines: time and memory, in those of the first size.
func (s *sizes) Summarize(r *study.Report, _ study.Bootstrap) (study.Table, *study.Figure) {
	t := study.Table{Columns: []string{s.label, "ms per update", "least to most", "GFLOP", "GFLOP/s", "peak, MB", "first update, s"}}
	f := &study.Figure{Title: r.Title, X: s.label, Y: "of the first", Series: []study.Series{{Name: "time"}, {Name: "memory"}}}
	var base *study.Result
	for _, v := range s.values {
		c, ok := r.Cell(s.cell(v))
		if !ok {
			continue
		}
		if base == nil {
			base = &c
		}
		least, most := extremes(c.Samples)
		ms, gflop, bytes := 1e3*float64(c.Value), float64(c.Numbers[operations])/1e9, float64(c.Numbers[peakBytes])
		row := study.Row{Name: strconv.Itoa(v)}
		for _, text := range []string{
			fmt.Sprintf("%.0f", ms), fmt.Sprintf("%.0f–%.0f", 1e3*least, 1e3*most), fmt.Sprintf("%.3g", gflop),
			fmt.Sprintf("%.0f", gflop/float64(c.Value)), fmt.Sprintf("%.0f", bytes/1e6), fmt.Sprintf("%.1f", float64(c.Numbers[firstSeconds])),
		} {
			row.Entries = append(row.Entries, study.Entry{Text: text})
		}
		t.Rows = append(t.Rows, row)
		for k, y := range []study.Interval{
			interval(float64(c.Value), least, most, float64(base.Value)),
			interval(bytes, bytes, bytes, float64(base.Numbers[peakBytes])),
		} {
			f.Series[k].X, f.Series[k].Y = append(f.Series[k].X, study.Number(v)), append(f.Series[k].Y, y)
		}
	}
	return t, f
}
