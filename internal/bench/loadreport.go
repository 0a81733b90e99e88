package main

import (
	"fmt"
	"slices"
	"strings"
)

// loadTable is that of the checkpoints, in Markdown, and what it says about their memory.
func (r *report) loadTable() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s, %s, %d threads, %s, page cache warm.\n\n", r.Date, r.Machine, r.Settings.DType, r.Settings.Threads, r.Settings.Backend)
	b.WriteString("| checkpoint | files | reading them | opening the model | of the speed of reading | resident since opening, of the files | peak, of the files | of a second process: its own | of files | fetched from disk |\n")
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
	grown, second := l.First.grown(), l.Second.grown()
	known, size := l.First.After.Private > 0, float64(l.Bytes)
	return fmt.Sprintf("| %s | %.2f GB | %s | %s | %.0f %% | %s | %s | %s | %s | %s |\n", l.Title, size/1e9, inSeconds(l.Read), inSeconds(l.Open), 100*l.Ratio,
		given(known, "%.0f %%", 100*float64(grown.Private+grown.Files)/size), given(known, "%.0f %%", 100*float64(l.Peak-l.First.Before.Private-l.First.Before.Files)/size),
		given(known, "%.2f GB", float64(second.Private)/1e9), given(known, "%.2f GB", float64(second.Files)/1e9),
		given(known, "%.2f GB", float64(second.Fetched)/1e9))
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
