package main

import (
	"fmt"
	"slices"
	"strings"
)

// rate is how many pictures a second there are of a batch for a run.
func (s *spread) rate(batch int) string {
	n := float64(batch)
	return fmt.Sprintf("%.3g (%.3g–%.3g)", n/s.Median, n/s.Max, n/s.Min)
}

// samplerTables are those of the pictures, in Markdown: ours beside diffusers', and ours alone.
func (r *report) samplerTables() string {
	var b strings.Builder
	b.WriteString(r.head())
	if beside := r.beside(); beside != "" {
		b.WriteString("| pictures per second | here | diffusers eager | compiled | ours over diffusers' faster | first run: here, eager, compiled " +
			"| peak memory: here, eager, compiled |\n")
		b.WriteString("| --- | --- | --- | --- | --- | --- | --- |\n" + beside + "\n")
	}
	b.WriteString("| pictures per second, here")
	for _, batch := range r.Settings.Batches {
		fmt.Fprintf(&b, " | %d at once", batch)
	}
	fmt.Fprintf(&b, " | ms for %d at once | at another weight | with another adapter, for the first time |\n", r.Settings.Batches[0])
	b.WriteString(strings.Repeat("| --- ", len(r.Settings.Batches)+4) + "|\n")
	var done []string
	for _, m := range r.Models {
		if !slices.Contains(done, m.Name) {
			done = append(done, m.Name)
			b.WriteString(r.alone(m))
		}
	}
	return b.String()
}

// beside are the lines of what diffusers makes, too.
func (r *report) beside() (lines string) {
	for _, m := range r.Models {
		if m.side(eager).What != "" || m.side(eager).Fault != "" {
			lines += m.row()
		}
	}
	return lines
}

// alone is the line of a model's pictures at all batches, and of what a change costs.
func (r *report) alone(first *measured) string {
	cells := []string{first.Title}
	for _, batch := range r.Settings.Batches {
		at := slices.IndexFunc(r.Models, func(m *measured) bool { return m.Name == first.Name && m.Batch == batch })
		switch {
		case at < 0:
			cells = append(cells, "")
		case !r.Models[at].counts():
			cells = append(cells, "does not count")
		default:
			cells = append(cells, r.Models[at].side(ours).speed(batch))
		}
	}
	for k := range 3 {
		cell := ""
		if k < len(first.Changes) && first.Changes[k].Spread != nil {
			s := first.Changes[k].Spread
			cell = fmt.Sprintf("%.0f (%.0f–%.0f)", 1000*s.Median, 1000*s.Min, 1000*s.Max)
		}
		cells = append(cells, cell)
	}
	return "| " + strings.Join(cells, " | ") + " |\n"
}
