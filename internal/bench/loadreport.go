package main

import (
	"fmt"
	"slices"
	"strings"
)

// loadTable is that of the checkpoints, in Markdown, and what it says about their memory.
func (r *report) loadTable() string {
	var b strings.Builder
	s := r.Settings
	fmt.Fprintf(&b, "%s, %s, %s, %d threads, %s, page cache warm.\n\n", r.Date, r.Machine, s.DType, s.Threads, s.Backend)
	b.WriteString("| checkpoint | files | reading them | opening the model | of the speed of reading | resident since opening, of the files " +
		"| peak, of the files | of a second process: its own | of files | fetched from disk |\n")
	b.WriteString(strings.Repeat("| --- ", 10) + "|\n")
	for _, l := range r.Loads {
		b.WriteString(l.row())
	}
	if note := r.copies(); note != "" {
		b.WriteString("\n" + note + "\n")
	}
	return b.String()
}

// row is a checkpoint's line of the table.
func (l *loaded) row() string {
	if l.Error != "" {
		return fmt.Sprintf("| %s | does not open | | | | | | | | |\n", l.Title)
	}
	before, grown, second := l.First.Before, l.First.grown(), l.Second.grown()
	known := l.First.After.Private > 0
	percent := func(bytes int64) string { return given(known, "%.0f %%", 100*float64(bytes)/float64(l.Bytes)) }
	gigabytes := func(bytes int64) string { return given(known, "%.2f GB", float64(bytes)/1e9) }
	return fmt.Sprintf("| %s | %.2f GB | %s | %s | %.0f %% | %s | %s | %s | %s | %s |\n",
		l.Title, float64(l.Bytes)/1e9, inSeconds(l.Read), inSeconds(l.Open), 100*l.Ratio,
		percent(grown.Private+grown.Files), percent(l.Peak-before.Private-before.Files),
		gigabytes(second.Private), gigabytes(second.Files), gigabytes(second.Fetched))
}

// inSeconds is a cell of the table: median, least and most.
func inSeconds(times []float64) string {
	return fmt.Sprintf("%.2f s (%.2f–%.2f)", median(times), slices.Min(times), slices.Max(times))
}

// copies says what processes share: whether a second one took the files' size as memory of its own, and whether it needed a
// disk.
func (r *report) copies() string {
	var private, fetched, bytes int64
	for _, l := range r.Loads {
		if l.Error == "" && l.Second.After.Private > 0 {
			private, fetched, bytes = private+l.Second.grown().Private, fetched+l.Second.grown().Fetched, bytes+l.Bytes
		}
	}
	if bytes == 0 {
		return ""
	}
	what, part := "The weights are shared", float64(private)/float64(bytes)
	if part > 0.5 {
		what = "The weights are copies on the device"
	}
	return fmt.Sprintf("%s: a second process has %.0f %% of the files as memory of its own, and fetched %.0f %% of them from a disk; the rest "+
		"was in the page cache, which processes share.", what, 100*part, 100*float64(fetched)/float64(bytes))
}
