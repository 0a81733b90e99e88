package main

import (
	"fmt"
	"io"
	"sync/atomic"

	"github.com/dualprocess/dualprocess-go/dualprocess"
)

// metrics count what the library's callbacks tell.
type metrics struct {
	updates, skipped, done, failed, pictures atomic.Int64
}

// update is for Task.Progress.
func (m *metrics) update(u dualprocess.Update) {
	m.updates.Add(1)
	if u.Skipped {
		m.skipped.Add(1)
	}
}

// write writes them as Prometheus reads them; its text format needs no library.
func (m *metrics) write(w io.Writer, waiting int) {
	fmt.Fprintf(w, "# TYPE dualprocess_jobs_waiting gauge\ndualprocess_jobs_waiting %d\n", waiting)
	for _, c := range []struct {
		name  string
		value *atomic.Int64
	}{
		{"jobs_done", &m.done}, {"jobs_failed", &m.failed}, {"updates", &m.updates}, {"updates_skipped", &m.skipped}, {"pictures", &m.pictures},
	} {
		fmt.Fprintf(w, "# TYPE dualprocess_%s_total counter\ndualprocess_%s_total %d\n", c.name, c.name, c.value.Load())
	}
}
