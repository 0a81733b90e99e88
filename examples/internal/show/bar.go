package show

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// bar is a progress bar: one line drawn again and again on a terminal, and lines now
// and then elsewhere. While something takes long it says what, and for how long.
type bar struct {
	out  io.Writer
	live bool // out is a terminal

	mu     sync.Mutex
	width  int       // of the line last drawn, in characters
	line   string    // what is drawn, without what is being done
	spoke  time.Time // when a line was last printed where there is no terminal
	doing  string    // what takes long; empty = nothing
	since  time.Time // that it began
	ticker *time.Ticker
	ended  chan struct{}
}

const (
	barCells  = 24
	barLines  = 10 // drawn in all where there is no terminal
	lineLimit = 79

	silence = 2 * time.Second        // after which something is said anyway
	blink   = 250 * time.Millisecond // between looks at the clock
)

// isTerminal tells whether someone watches out.
func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// show draws the bar with done of total; total 0 is unknown.
func (b *bar) show(done, total int, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.line = fmt.Sprintf("  %d %s", done, text)
	if total > 0 {
		filled := min(barCells*done/total, barCells)
		b.line = fmt.Sprintf("  [%s%s] %*d/%d  %s", strings.Repeat("█", filled), strings.Repeat("░", barCells-filled),
			len(fmt.Sprint(total)), done, total, text)
	}
	switch {
	case b.live:
		b.draw(b.line)
	case milestone(done, total):
		b.print(b.line)
	}
}

// begin notes what is being done now, until end or the next call.
func (b *bar) begin(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.doing, b.since = what, time.Now()
	if b.ticker == nil {
		if b.spoke.IsZero() {
			b.spoke = b.since
		}
		b.ticker, b.ended = time.NewTicker(blink), make(chan struct{})
		go b.watch(b.ticker.C, b.ended)
	}
}

// watch says what is being done whenever nothing has been said for long.
func (b *bar) watch(tick <-chan time.Time, ended <-chan struct{}) {
	for {
		select {
		case <-tick:
			b.mu.Lock()
			b.remind(time.Now())
			b.mu.Unlock()
		case <-ended:
			return
		}
	}
}

// remind says what is being done if that takes long, and how far things are where
// there is no terminal and many short ones add up.
func (b *bar) remind(now time.Time) {
	text := fmt.Sprintf("  … %s, %.0f s", b.doing, now.Sub(b.since).Seconds())
	long := now.Sub(b.since) >= silence-blink
	switch {
	case b.live && long:
		b.draw(text)
	case b.live || now.Sub(b.spoke) < silence-blink:
	case long || b.line == "":
		b.print(text)
	default:
		b.print(b.line)
	}
}

// print prints a line where there is no terminal.
func (b *bar) print(line string) {
	fmt.Fprintln(b.out, line)
	b.spoke = time.Now()
}

// draw draws a line over the last one.
func (b *bar) draw(line string) {
	if letters := []rune(line); len(letters) > lineLimit {
		line = string(letters[:lineLimit]) // a line that wraps could not be drawn over
	}
	length := utf8.RuneCountInString(line)
	fmt.Fprintf(b.out, "\r%s%s", line, strings.Repeat(" ", max(0, b.width-length)))
	b.width = length
}

// milestone tells whether done is the first past one of barLines equal parts.
func milestone(done, total int) bool {
	return done > 0 && total > 0 && done*barLines/total > (done-1)*barLines/total
}

// end leaves the last line of the bar as it is and goes on below.
func (b *bar) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ticker != nil {
		b.ticker.Stop()
		close(b.ended)
		b.ticker = nil
	}
	if b.live && b.width > 0 {
		b.draw(b.line)
		fmt.Fprintln(b.out)
	}
	b.width, b.line, b.spoke = 0, "", time.Time{}
}
