package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/dualprocess/dualprocess-go/study"
)

// What the studies of this tool share: a cell is the runs of an order, by our side alone.

// study runs a study and prints its table.
func (b *bench) study(ctx context.Context, name string, s study.Study, folder string) error {
	report, err := study.Run(ctx, s, study.Options{Folder: folder, Progress: func(p study.Progress) {
		b.say("%s: %s: %d of %d done", name, p.Cell, p.Done, p.Total)
	}})
	if err != nil {
		return err
	}
	fmt.Println(report.Table.Markdown())
	return nil
}

// The numbers of a cell beside its median.
const (
	firstSeconds = "first run in seconds"
	peakBytes    = "peak in bytes"
	operations   = "floating-point operations"
	seconds      = "seconds"
)

// timing is how long the runs of an order take.
func (b *bench) timing(ctx context.Context, file string) (m study.Measurement, err error) {
	side := b.begin(ctx, b.launch[0], file)
	if side.peer != nil {
		defer side.peer.end()
	}
	if side.Fault != "" {
		return m, errors.New(side.Fault)
	}
	m.Numbers = map[string]study.Number{firstSeconds: study.Number(side.First)}
	var all []float64
	for range b.Rounds {
		r, err := side.peer.ask(ctx, b.Runs, b.Limit)
		if err != nil {
			return m, err
		}
		all = append(all, r.Seconds...)
		m.Numbers[peakBytes] = study.Number(r.Peak)
	}
	for _, t := range all {
		m.Samples = append(m.Samples, study.Sample{Values: map[string]study.Number{seconds: study.Number(t)}})
	}
	m.Value = study.Number(median(all))
	return m, nil
}

// extremes are the least and the most seconds of runs.
func extremes(samples []study.Sample) (least, most float64) {
	var times []float64
	for _, s := range samples {
		times = append(times, float64(s.Values[seconds]))
	}
	return slices.Min(times), slices.Max(times)
}

// interval is a number with its bounds, in units of another.
func interval(mean, low, high, unit float64) study.Interval {
	return study.Interval{Mean: study.Number(mean / unit), Low: study.Number(low / unit), High: study.Number(high / unit), Units: 1}
}
