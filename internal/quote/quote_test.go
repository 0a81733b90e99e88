package quote

import (
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestShort(t *testing.T) {
	for text, want := range map[string]string{
		"":                         `""`,
		"a \"sea\"\n":              `"a \"sea\"\n"`,
		strings.Repeat("a", 60):    `"` + strings.Repeat("a", 60) + `"`,
		strings.Repeat("ü", 60):    `"` + strings.Repeat("ü", 60) + `"`,
		strings.Repeat("ü", 61):    `"` + strings.Repeat("ü", 40) + "…" + strings.Repeat("ü", 19) + `"`,
		strings.Repeat("\xff", 61): `"` + strings.Repeat(`\xff`, 40) + "…" + strings.Repeat(`\xff`, 19) + `"`,
		"begin" + strings.Repeat(" word", 1e6) + " end": `"begin` + strings.Repeat(" word", 7) + "…" + strings.Repeat(" word", 3) + ` end"`,
	} {
		require.Equal(t, want, Short(text))
	}
}

func FuzzShort(f *testing.F) {
	f.Add("a sea")
	f.Add(strings.Repeat("\xe2\x82", 50))
	f.Fuzz(func(t *testing.T, text string) {
		short, err := strconv.Unquote(Short(text))
		require.NoError(t, err)
		require.LessOrEqual(t, utf8.RuneCountInString(short), 60)
		if utf8.RuneCountInString(text) <= 60 {
			require.Equal(t, text, short)
		}
	})
}
