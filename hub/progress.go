package hub

import (
	"fmt"
	"sync"
	"time"
)

// Progress is how far a download has come.
type Progress struct {
	File  string // one of those on their way
	Done  int64  // bytes of all files that are asked for, with what was there of them
	Total int64  // that there will be. It grows once: the small files, which say what the large ones are, come first

	Rate float64       // bytes per second, over the last ten seconds
	Left time.Duration // at that rate; 0 = not known yet
}

// String is such as "1.2 of 23.8 GB, 87.0 MB/s, 4m20s left".
func (p Progress) String() string {
	text := fmt.Sprintf("%s of %s", amount(p.Done), amount(p.Total))
	if p.Rate > 0 {
		text += fmt.Sprintf(", %s/s", amount(int64(p.Rate)))
	}
	if p.Left > 0 {
		text += fmt.Sprintf(", %s left", p.Left.Round(time.Second))
	}
	return text
}

// amount writes a number of bytes for people.
func amount(n int64) string {
	value, unit := float64(n), "bytes"
	for _, larger := range []string{"kB", "MB", "GB", "TB"} {
		if value < 1000 {
			break
		}
		value, unit = value/1000, larger
	}
	if unit == "bytes" {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%.1f %s", value, unit)
}

const (
	reportPause = 200 * time.Millisecond
	rateSamples = 50 // of reportPause each
)

// meter counts bytes.
type meter struct {
	mu      sync.Mutex
	file    string
	done    int64
	total   int64
	arrived int64 // over the network, also what came in vain
	samples []sample
}

type sample struct {
	at      time.Time
	arrived int64
}

// expect adds a file.
func (m *meter) expect(size int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.total += size
}

// start notes which file is on its way, and what is there of it already.
func (m *meter) start(file string, done int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.file = file
	m.done += done
}

// had counts bytes that are there; less than none, that are not there after all.
func (m *meter) had(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done += n
}

// got counts bytes that arrive.
func (m *meter) got(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.arrived += int64(n)
}

// progress takes a sample.
func (m *meter) progress(now time.Time) Progress {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.samples = append(m.samples, sample{now, m.arrived})
	if len(m.samples) > rateSamples {
		m.samples = m.samples[1:]
	}
	p := Progress{File: m.file, Done: m.done, Total: m.total}
	first := m.samples[0]
	if seconds := now.Sub(first.at).Seconds(); seconds > 0 {
		p.Rate = float64(m.arrived-first.arrived) / seconds
	}
	if p.Rate > 0 {
		p.Left = time.Duration(min(float64(p.Total-p.Done)/p.Rate, 1e9) * float64(time.Second))
	}
	return p
}

// report tells Options.Progress of the download, until stop.
func (r *repository) report() (stop func()) {
	if r.Progress == nil {
		return func() {}
	}
	ended := make(chan struct{})
	var teller sync.WaitGroup
	teller.Go(func() {
		ticker := time.NewTicker(reportPause)
		defer ticker.Stop()
		for {
			select {
			case <-ended:
				return
			case now := <-ticker.C:
				if p := r.meter.progress(now); p.Total > 0 {
					r.Progress(p)
				}
			}
		}
	})
	return func() {
		close(ended)
		teller.Wait()
		if p := r.meter.progress(time.Now()); p.Total > 0 {
			r.Progress(p)
		}
	}
}
