package study

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
)

// Table is a study's table in the paper's form.
type Table struct {
	Title   string   `json:"title"`
	Columns []string `json:"columns"` // heads; the first stands over the rows' names
	Rows    []Row    `json:"rows"`
	Notes   []string `json:"notes,omitempty"` // one sentence each
}

// Row is a line of a table.
type Row struct {
	Name    string  `json:"name"`
	Entries []Entry `json:"entries"` // one for each column but the first
}

// Entry is one number of a table, with its interval if it has one.
type Entry struct {
	Text     string    `json:"text"`
	Interval *Interval `json:"interval,omitempty"`
}

// none stands where there is no number.
const none = "–"

// Text is an entry that is no estimate.
func text(format string, args ...any) Entry { return Entry{Text: fmt.Sprintf(format, args...)} }

// entry prints an interval after multiplying by a factor, with so many decimals.
func entry(i Interval, factor float64, decimals int) Entry {
	if math.IsNaN(float64(i.Mean)) {
		return Entry{Text: none}
	}
	print := func(n Number) string { return fmt.Sprintf("%.*f", decimals, factor*float64(n)) }
	e := Entry{Text: print(i.Mean), Interval: &i}
	if i.Units > 1 {
		e.Text += fmt.Sprintf(" [%s, %s]", print(i.Low), print(i.High))
	}
	return e
}

// paper is a row of numbers that the paper has, for its own models.
func paper(name string, numbers ...string) Row {
	r := Row{Name: name}
	for _, n := range numbers {
		r.Entries = append(r.Entries, Entry{Text: n})
	}
	return r
}

// Markdown prints the table for GitHub.
func (t Table) Markdown() string {
	var b strings.Builder
	if t.Title != "" {
		fmt.Fprintf(&b, "**%s**\n\n", t.Title)
	}
	line := func(cells []string) {
		for k, cell := range cells {
			cells[k] = strings.ReplaceAll(cell, "|", `\|`)
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	for k, row := range t.grid() {
		line(row)
		if k == 0 {
			line(slices.Repeat([]string{"---"}, len(row)))
		}
	}
	for _, note := range t.Notes {
		fmt.Fprintf(&b, "\n%s\n", note)
	}
	return b.String()
}

// Text prints the table for a terminal, columns aligned.
func (t Table) Text() string {
	var b strings.Builder
	if t.Title != "" {
		fmt.Fprintf(&b, "%s\n\n", t.Title)
	}
	w := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	for _, row := range t.grid() {
		fmt.Fprintf(w, "  %s\n", strings.Join(row, "\t"))
	}
	w.Flush() // into memory: cannot fail
	for k, note := range t.Notes {
		if k == 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "  %s\n", note)
	}
	return b.String()
}

// grid is the table as words, heads first.
func (t Table) grid() [][]string {
	grid := [][]string{append([]string{}, t.Columns...)}
	for _, r := range t.Rows {
		line := []string{r.Name}
		for _, e := range r.Entries {
			line = append(line, e.Text)
		}
		for len(line) < len(t.Columns) {
			line = append(line, "")
		}
		grid = append(grid, line)
	}
	return grid
}
