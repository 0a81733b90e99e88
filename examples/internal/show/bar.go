package show

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// bar is a progress bar: one line drawn again and again on a terminal, and a
// line now and then elsewhere.
type bar struct {
	out   io.Writer
	live  bool // out is a terminal
	width int  // of the line last drawn, in characters
}

const (
	barCells  = 24
	barLines  = 10 // drawn in all where there is no terminal
	lineLimit = 79
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
	if !b.live && !milestone(done, total) {
		return
	}
	line := fmt.Sprintf("  %d %s", done, text)
	if total > 0 {
		filled := min(barCells*done/total, barCells)
		line = fmt.Sprintf("  [%s%s] %*d/%d  %s", strings.Repeat("█", filled), strings.Repeat("░", barCells-filled),
			len(fmt.Sprint(total)), done, total, text)
	}
	if !b.live {
		fmt.Fprintln(b.out, line)
		return
	}
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

// end leaves the line as it is and goes on below.
func (b *bar) end() {
	if b.live && b.width > 0 {
		fmt.Fprintln(b.out)
	}
	b.width = 0
}
