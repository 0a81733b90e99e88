package study

import (
	"fmt"
	"slices"
	"strings"
)

// table1 are the paper's own numbers, on its own models: by category, and their mean.
var table1 = []struct {
	name    string
	numbers map[string]string
}{
	{"paper, FLUX.1 schnell: " + rowBase, ofCategories("41.7", "4.4", "23.8", "28.3", "24.0", "24.4")},
	{"paper, FLUX.1 schnell: " + rowBaseOurs, ofCategories("59.7", "48.5", "34.5", "41.7", "38.3", "44.5")},
	{"paper, FLUX.1 schnell: " + rowExpanded, ofCategories("70.8", "57.4", "29.8", "53.3", "42.4", "50.7")},
	{"paper, FLUX.1 schnell: " + rowExpandedOurs, ofCategories("66.7", "79.4", "59.5", "54.4", "50.0", "62.0")},
}

func ofCategories(animal, biological, daily, human, physical, average string) map[string]string {
	return map[string]string{
		"animal behaviors": animal, "biological laws": biological, "daily items": daily,
		"human practices": human, "physical laws": physical, "avg": average,
	}
}

// Summarize makes the paper's Table 1. Avg is the mean of the categories, as there.
func (s *Commonsense) Summarize(r *Report, b Bootstrap) (Table, *Figure) {
	categories := s.categories()
	t := Table{Columns: append([]string{"Method"}, append(slices.Clone(categories), "Avg")...)}
	f := &Figure{Title: r.Title, Y: "pairs that are right, %", Names: t.Columns[1:]}
	for _, row := range []string{rowBase, rowBaseOurs, rowExpanded, rowExpandedOurs} {
		if len(r.Where(row, "")) == 0 {
			continue
		}
		line, series := Row{Name: row}, Series{Name: row}
		var all [][][]float64
		for _, category := range categories {
			units := values(r.Where(row, category))
			all = append(all, units)
			line.Entries = append(line.Entries, entry(b.Mean(units), 100, 1))
			series.Y = append(series.Y, b.Mean(units).times(100))
		}
		average := b.MeanOfMeans(all)
		line.Entries = append(line.Entries, entry(average, 100, 1))
		series.Y = append(series.Y, average.times(100))
		t.Rows, f.Series = append(t.Rows, line), append(f.Series, series)
		t.Notes = append(t.Notes, s.ties(row, r.Where(row, "")))
	}
	for _, p := range table1 {
		line := Row{Name: p.name}
		for _, column := range t.Columns[1:] {
			number, ok := p.numbers[strings.ToLower(column)]
			if !ok {
				number = none
			}
			line.Entries = append(line.Entries, Entry{Text: number})
		}
		t.Rows = append(t.Rows, line)
	}
	return t, f
}

// categories are those of the rules, in the order of their first.
func (s *Commonsense) categories() []string {
	var out []string
	for _, r := range s.Rules {
		if !slices.Contains(out, r.Category) {
			out = append(out, r.Category)
		}
	}
	return out
}

// ties says how often the judge said both or neither.
func (s *Commonsense) ties(row string, results []Result) string {
	both, neither, all := 0., 0., 0.
	for _, r := range results {
		both, neither, all = both+float64(r.Numbers["both yes"]), neither+float64(r.Numbers["both no"]), all+float64(r.Numbers["pictures"])
	}
	return fmt.Sprintf("%s: of %.0f pictures, the judge said yes to both descriptions of %.0f and to none of %.0f.", row, all, both, neither)
}

// values are those of cells, each a unit of its own.
func values(results []Result) [][]float64 {
	var out [][]float64
	for _, r := range results {
		out = append(out, []float64{float64(r.Value)})
	}
	return out
}

// times multiplies an interval.
func (i Interval) times(factor Number) Interval {
	return Interval{factor * i.Mean, factor * i.Low, factor * i.High, i.Units}
}
