package study

import (
	"fmt"
	"math"
)

// Summarize makes the paper's Table 2, with what became of the pictures below.
func (s *Latents) Summarize(r *Report, b Bootstrap) (Table, *Figure) {
	t := Table{
		Columns: []string{"Metric", Before, ByLatents, ByWeights},
		Notes: []string{
			fmt.Sprintf("Optimization of %d pictures at once by latents, of all pictures by weights. Inference is for one new picture.", len(s.Task.Seeds)),
			"Peak memory is that of the process on the host, beyond what it had before; a device's own memory is not in it.",
			"paper, FLUX.1 schnell and Idefics2 on an A100: optimization 56 s and 66 s, inference 56 s and 0.3 s, generator's VRAM 42 GB and 44 GB, verifier's 21 GB (latents and weights).",
		},
	}
	for _, cost := range []struct{ name, number, unit string }{
		{"Optimization Time", optimization, "s"}, {"Inference Time", inference, "s"}, {"Peak Memory", peakMemory, "GB"},
	} {
		row := Row{Name: cost.name}
		for _, column := range t.Columns[1:] {
			row.Entries = append(row.Entries, s.cost(r, column, cost.number, cost.unit))
		}
		t.Rows = append(t.Rows, row)
	}
	for _, name := range []string{OwnSeeds, UnseenSeeds, UnseenPrompts} {
		row := Row{Name: s.GaugeName + ", " + name}
		for _, column := range t.Columns[1:] {
			var units [][]float64
			for _, result := range r.Where(column, "") {
				units = append(units, each([]Result{result}, gauge, name)...)
			}
			row.Entries = append(row.Entries, entry(b.Mean(units), 1, 3))
		}
		t.Rows = append(t.Rows, row)
	}
	return t, nil
}

// cost prints a number of a cell.
func (s *Latents) cost(r *Report, row, number, unit string) Entry {
	for _, result := range r.Where(row, "") {
		v, ok := result.Numbers[number]
		switch {
		case !ok || math.IsNaN(float64(v)):
		case unit == "GB":
			return text("%.2f GB", float64(v)/(1<<30))
		default:
			return text("%.3g %s", float64(v), unit)
		}
	}
	return Entry{Text: none}
}
