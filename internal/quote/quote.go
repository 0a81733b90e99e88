// Package quote shortens texts for error messages.
package quote

import (
	"strconv"
	"unicode/utf8"
)

// Runes of a long text that are shown of its beginning and of its end.
const head, tail = 40, 19

// Short quotes a text as the verb %q does; of one that is longer than 60 runes it
// shows the beginning and the end.
func Short(text string) string {
	from, to := 0, len(text)
	for range head {
		_, size := utf8.DecodeRuneInString(text[from:])
		from += size
	}
	for range tail {
		_, size := utf8.DecodeLastRuneInString(text[:to])
		to -= size
	}
	if to <= from || utf8.RuneCountInString(text[from:to]) <= 1 {
		return strconv.Quote(text)
	}
	return strconv.Quote(text[:from] + "…" + text[to:])
}
