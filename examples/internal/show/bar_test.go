package show

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBar(t *testing.T) {
	var out bytes.Buffer
	lines := bar{out: &out}
	for n := range 100 {
		lines.show(n+1, 100, "x")
	}
	assert.Equal(t, barLines, strings.Count(out.String(), "\n"))

	out.Reset()
	live := bar{out: &out, live: true}
	live.show(1, 2, "a long text")
	live.show(2, 2, strings.Repeat("y", 200))
	live.end()
	for _, line := range strings.Split(strings.TrimSpace(out.String()), "\r") {
		assert.LessOrEqual(t, len([]rune(line)), lineLimit)
	}
	live.show(0, 0, "of unknown length")
}

// Nobody waits for more than two seconds without a word, on a terminal or not.
func TestBarReminds(t *testing.T) {
	begin := time.Now()
	for _, live := range []bool{true, false} {
		var out bytes.Buffer
		b := bar{out: &out, live: live, doing: "compiling gradient", since: begin, spoke: begin}
		said := func(after time.Duration) string {
			out.Reset()
			b.remind(begin.Add(after))
			return strings.Trim(out.String(), "\r\n ")
		}
		assert.Empty(t, said(time.Second))
		assert.Equal(t, "… compiling gradient, 2 s", said(2*time.Second))
		b.doing, b.since, b.line, b.spoke = "updating", begin.Add(3*time.Second), "a bar", begin
		if got := said(4 * time.Second); live {
			assert.Empty(t, got)
		} else {
			assert.Equal(t, "a bar", got)
		}
	}
}

// What a download drew is not drawn again while a control is trained.
func TestControlEndsTheDownloadsBar(t *testing.T) {
	r, out := newRun(t)
	r.Backend().Progress(backends.Download{Name: "a plugin", Done: 1 << 20, Total: 1 << 20})
	require.Contains(t, out.String(), "fetching a plugin")
	r.Control("plain", task(), brightness)
	out.Reset()
	later := time.Now().Add(time.Minute)
	r.bar.doing, r.bar.since = "updating", later
	r.bar.remind(later)
	require.Contains(t, out.String(), "updating")
	require.NotContains(t, out.String(), "fetching")
}

func TestPace(t *testing.T) {
	var p pace
	assert.Empty(t, p.left(dualprocess.Update{Number: 1, Total: 11, Elapsed: 30 * time.Second}))
	assert.Equal(t, ", 16 s left", p.left(dualprocess.Update{Number: 3, Total: 11, Elapsed: 34 * time.Second}))
}
