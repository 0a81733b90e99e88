package main

import (
	"fmt"
	"strings"
)

// pairTable is that of a pair's updates, in Markdown, and what is to be said of all of them.
func (r *report) pairTable() string {
	p := r.Pair
	var b strings.Builder
	b.WriteString(r.head())
	fmt.Fprintf(&b, "%s with %s, %d pixels, %d questions, %d steps.\n\n", p.Generator, p.Verifier, p.Side, p.Questions, p.Of)
	b.WriteString("| update | step with gradient | loss: here | there | norm of the gradient: here | there | seconds: here | there |\n")
	b.WriteString(strings.Repeat("| --- ", 8) + "|\n")
	for k, step := range p.Steps {
		fmt.Fprintf(&b, "| %d | %d | %s | %s | %s |\n", k+1, step,
			p.cells("%.6f", k, func(s *pairedSide) []float64 { return s.Losses }),
			p.cells("%.6g", k, func(s *pairedSide) []float64 { return s.Norms }),
			p.cells("%.1f", k, func(s *pairedSide) []float64 { return s.Seconds }))
	}
	for _, s := range p.Sides {
		where := map[bool]string{true: "Here", false: "There"}[s.Side == ours]
		fmt.Fprintf(&b, "\n%s: opened in %.1f s, peak memory %s", where, s.Open, given(s.Peak > 0, "%.2f GB", float64(s.Peak)/1e9))
		if s.Apart > 0 {
			fmt.Fprintf(&b, ", the adapter apart from ours by %.2g of the way that it has come", s.Apart)
		}
		b.WriteString(".\n")
	}
	if p.Error != "" {
		fmt.Fprintf(&b, "\nThis does not count: %s.\n", p.Error)
	}
	return b.String()
}

// cells are those of an update's number, here and there.
func (p *paired) cells(format string, k int, of func(s *pairedSide) []float64) string {
	cells := []string{"–", "–"}
	for i, s := range p.Sides {
		if values := of(s); k < len(values) {
			cells[i] = fmt.Sprintf(format, values[k])
		}
	}
	return strings.Join(cells, " | ")
}
