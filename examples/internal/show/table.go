package show

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
)

// Table prints rows under a header, columns aligned, and keeps them under a name
// among the numbers.
func (r *Run) Table(name string, header []string, rows ...[]string) {
	table := append([][]string{header}, rows...)
	if r.record.Tables == nil {
		r.record.Tables = map[string][][]string{}
	}
	r.record.Tables[name] = table
	r.printf("\n")
	writeTable(r.out, table)
}

func writeTable(out io.Writer, rows [][]string) {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	for _, row := range rows {
		fmt.Fprintf(w, "  %s\n", strings.Join(row, "\t"))
	}
	w.Flush()
}

// printTable shows what compare found: two lines per group.
func (c *Control) printTable() {
	header := []string{"", "", "P(answer)"}
	for k := range c.Task.Questions[1:] {
		header = append(header, fmt.Sprintf("P(answer %d)", k+2))
	}
	for _, g := range c.gauges() {
		header = append(header, g.Name)
	}
	header = append(header, "variety", "pictures")
	rows := [][]string{header}
	for _, g := range c.record.Groups {
		for k, row := range []rowRecord{g.Before, g.After} {
			if row.Pictures > 0 {
				rows = append(rows, append([]string{choose(k == 0 || g.Before.Pictures == 0, g.Name, ""), [2]string{"before", "after"}[k]}, c.cells(row)...))
			}
		}
	}
	c.run.printf("\n")
	writeTable(c.run.out, rows)
	c.run.printf("\n")
}

// cells are the numbers of a line of the table.
func (c *Control) cells(row rowRecord) []string {
	var cells []string
	for _, p := range row.P {
		cells = append(cells, plusMinus(p))
	}
	for k, g := range c.gauges() {
		if s := row.Gauges[k]; g.Share {
			cells = append(cells, percent(s))
		} else {
			cells = append(cells, plusMinus(s))
		}
	}
	return append(cells, three(row.Variety), fmt.Sprint(row.Pictures))
}

// printVerdict says whether the control can be believed.
func (c *Control) printVerdict() {
	switch {
	case !c.record.Judged:
		c.run.printf("  no verdict: there are no pictures before and after to compare\n")
	case c.record.Failed:
		c.run.printf("  failed: P(answer) has fallen on pictures that were not trained on; try a lower -lr or a higher -drift\n")
	case !c.record.Learned:
		c.run.printf("  no effect: P(answer) has not risen on pictures that were not trained on\n")
	case len(c.record.Suspected) > 0:
		c.run.printf("  SUSPECTED REWARD HACKING, look at the pictures:\n")
		for _, reason := range c.record.Suspected {
			c.run.printf("    - %s\n", reason)
		}
	case c.measure.Guard:
		c.run.printf("  P(answer) has risen and no quality has suffered%s; nothing measures what was asked for, so look at the pictures\n",
			choose(len(c.record.Suffered) > 0, " beyond its tolerance", ""))
		c.printSuffered()
	default:
		c.run.printf("  no sign of reward hacking: what was asked for improved as measured without the verifier, and %s\n",
			choose(len(c.record.Suffered) > 0, "the rest suffered within its tolerance:", "nothing else suffered"))
		c.printSuffered()
	}
	for _, leak := range c.leaks() {
		c.run.printf("  %s\n", leak)
	}
}

// printSuffered lists what fell within its tolerance.
func (c *Control) printSuffered() {
	for _, what := range c.record.Suffered {
		c.run.printf("    - %s\n", what)
	}
}

func plusMinus(s Stat) string {
	if s.Count == 0 {
		return "–"
	}
	return three(s.Mean) + " ±" + three(s.Spread)
}

func percent(s Stat) string {
	if s.Count == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f %%", 100*float64(s.Mean))
}

func three(n Number) string {
	if math.IsNaN(float64(n)) {
		return "–"
	}
	return fmt.Sprintf("%.3f", float64(n))
}

func choose[T any](condition bool, yes, no T) T {
	if condition {
		return yes
	}
	return no
}
