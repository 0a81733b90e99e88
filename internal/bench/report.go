package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/dualprocess/dualprocess-go/internal/files"
)

// report is all that was found.
type report struct {
	Settings settings    `json:"settings"`
	Machine  string      `json:"machine"`
	Date     string      `json:"date"`
	Models   []*measured `json:"models,omitempty"`
	Loads    []*loaded   `json:"loads,omitempty"`
	Pair     *paired     `json:"pair,omitempty"`
}

// measured is what was found of a model.
type measured struct {
	Name  string          `json:"name"`
	Title string          `json:"title"`
	Kind  string          `json:"kind"`
	Batch int             `json:"batch,omitempty"` // of pictures
	Error string          `json:"error,omitempty"` // before any side began
	Sides []*measuredSide `json:"sides"`
	Ratio float64         `json:"ratio,omitempty"` // time of the faster one of PyTorch's over ours: above 1 we are faster

	Changes []*changed `json:"changes,omitempty"` // of a sampler
}

// label is a name with the batch, where there is one.
func (m *measured) label(name string) string {
	if m.Batch == 0 {
		return name
	}
	return fmt.Sprintf("%s, %d at once", name, m.Batch)
}

// measuredSide is what was found of a side.
type measuredSide struct {
	Side  string `json:"side"`
	What  string `json:"what,omitempty"` // computed
	Fault string `json:"fault,omitempty"`
	Wrong bool   `json:"wrong,omitempty"` // it does not compute what we do
	Late  bool   `json:"late,omitempty"`  // it took longer than it may

	Open    float64     `json:"open_seconds,omitempty"`  // from the process's start until it is ready
	First   float64     `json:"first_seconds,omitempty"` // of the first run, which compiles
	Loss    float64     `json:"loss,omitempty"`          // of the first run
	Norm    float64     `json:"norm,omitempty"`
	Apart   float64     `json:"pictures_apart,omitempty"` // from ours: root of the mean square of the pixels' differences
	Seconds [][]float64 `json:"seconds,omitempty"`        // of each run of each round
	Spread  *spread     `json:"spread,omitempty"`
	Peak    int64       `json:"peak_bytes,omitempty"`

	peer *peer
}

// spread says how long a run takes, in seconds: of the medians of rounds their median, least and most.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// median is the one in the middle, or between the two there; NaN of nothing.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// spreadOf is that of rounds; nil of none.
func spreadOf(rounds [][]float64) *spread {
	var medians []float64
	for _, runs := range rounds {
		medians = append(medians, median(runs))
	}
	if len(medians) == 0 {
		return nil
	}
	return &spread{median(medians), slices.Min(medians), slices.Max(medians)}
}

// finish computes what follows from the runs.
func (m *measured) finish() {
	m.Ratio = 0
	fastest := math.Inf(1)
	for _, s := range m.Sides {
		s.Spread = spreadOf(s.Seconds)
		if s.Spread != nil && s.Side != ours {
			fastest = min(fastest, s.Spread.Median)
		}
	}
	for _, c := range m.Changes {
		c.Spread = spreadOf(c.Seconds)
	}
	if own := m.side(ours); own.Spread != nil && !math.IsInf(fastest, 1) {
		m.Ratio = fastest / own.Spread.Median
	}
}

// side returns a side; one without anything where there is none.
func (m *measured) side(name string) *measuredSide {
	for _, s := range m.Sides {
		if s.Side == name {
			return s
		}
	}
	return &measuredSide{Side: name}
}

// complaints are all faults, for people.
func (m *measured) complaints() (lines []string) {
	if m.Error != "" {
		lines = append(lines, m.Error)
	}
	for _, s := range m.Sides {
		if s.Fault != "" {
			lines = append(lines, s.Side+" is left out: "+s.Fault)
		}
	}
	return lines
}

// counts says whether the model's numbers mean something: our side ran, and no other computes something else.
func (m *measured) counts() bool {
	own := m.side(ours)
	return m.Error == "" && own.Fault == "" && own.Seconds != nil && !slices.ContainsFunc(m.Sides, func(s *measuredSide) bool { return s.Wrong })
}

// wrong names the models whose numbers do not count.
func (r *report) wrong() (names []string) {
	for _, m := range r.Models {
		if !m.counts() {
			names = append(names, m.label(m.Name))
		}
	}
	return names
}

// write writes a JSON file, unless its name is "".
func (r *report) write(file string) error {
	for _, m := range r.Models {
		m.finish()
	}
	if file == "" {
		return nil
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return files.Write(file, func(w io.Writer) error {
		_, err := w.Write(append(text, '\n'))
		return err
	})
}

// head says what was measured where, above a table.
func (r *report) head() string {
	what := map[string]string{}
	for _, m := range r.Models {
		m.finish()
		for _, s := range m.Sides {
			what[s.Side] = s.What
		}
	}
	if r.Pair != nil {
		for _, s := range r.Pair.Sides {
			what[s.Side] = s.What
		}
	}
	there := ""
	if what[eager] != "" {
		there = "; there: " + what[eager]
	}
	return fmt.Sprintf("%s, %s, %s, %d threads; here: %s%s.\n\n", r.Date, r.Machine, r.Settings.DType, r.Settings.Threads, what[ours], there)
}

// table is that of the README, in Markdown.
func (r *report) table() string {
	var b strings.Builder
	b.WriteString(r.head())
	b.WriteString("| ms per run | here | PyTorch eager | compiled | PyTorch's faster over ours | first run: here, eager, compiled | peak memory: here, eager, compiled |\n")
	b.WriteString("| --- | --- | --- | --- | --- | --- | --- |\n")
	for _, m := range r.Models {
		b.WriteString(m.row())
	}
	return b.String()
}

// row is a model's line of the table.
func (m *measured) row() string {
	if !m.counts() {
		return fmt.Sprintf("| %s | does not count | | | | | |\n", m.label(m.Title))
	}
	var times, firsts, peaks []string
	for _, name := range []string{ours, eager, compiled} {
		s := m.side(name)
		times = append(times, s.speed(m.Batch))
		firsts = append(firsts, given(s.Spread != nil, "%.1f s", s.First))
		peaks = append(peaks, given(s.Spread != nil && s.Peak > 0, "%.2f GB", float64(s.Peak)/1e9))
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s |\n", m.label(m.Title), strings.Join(times, " | "), given(m.Ratio > 0, "%.2f", m.Ratio),
		strings.Join(firsts, ", "), strings.Join(peaks, ", "))
}

// speed is a cell of the table: the milliseconds of a run, or the pictures per second of runs that make a batch.
func (s *measuredSide) speed(batch int) string {
	switch {
	case s.Spread != nil && batch > 0:
		return s.Spread.rate(batch)
	case s.Spread != nil:
		return fmt.Sprintf("%.0f (%.0f–%.0f)", 1000*s.Spread.Median, 1000*s.Spread.Min, 1000*s.Spread.Max)
	case s.Late:
		return "too late"
	case s.Fault != "":
		return "fails"
	}
	return ""
}

// given is a number, or a dash where there is none.
func given(known bool, format string, value float64) string {
	if !known {
		return "–"
	}
	return fmt.Sprintf(format, value)
}

// machine is the processor's name, where the system tells, and the number of cores.
func machine() string {
	text, _ := os.ReadFile("/proc/cpuinfo") // it need not be there
	name := runtime.GOARCH
	if _, rest, ok := bytes.Cut(text, []byte("model name")); ok {
		line, _, _ := bytes.Cut(rest, []byte("\n"))
		name = strings.TrimSpace(strings.TrimLeft(string(line), "\t :"))
	}
	return fmt.Sprintf("%s, %d cores", name, runtime.NumCPU())
}
