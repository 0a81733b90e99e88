package uni

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"
)

// count is the number of characters that is asks for.
func count(is func(rune) bool) int {
	n := 0
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if (r < 0xd800 || r >= 0xe000) && is(r) {
			n++
		}
	}
	return n
}

// The numbers are those of tokenizers 0.23.3, so this also notices a Go release with another Unicode.
func TestSizesOfClasses(t *testing.T) {
	for name, want := range map[string]int{
		"L": 141028, "N": 1911, "M": 2501, "Lu": 1858, "Lt": 31, "Lm": 404, "Lo": 136477, "Ll": 2258, "P": 855, "S": 8514, "Z": 19,
	} {
		c, ok := CategoryOf(name)
		require.True(t, ok, name)
		assert.Equal(t, want, count(c.Has), name)
	}
	assert.Equal(t, 25, count(IsSpace))
	assert.Equal(t, 144667, count(IsWord))
	assert.Equal(t, 726, count(IsPunctuation))
	assert.Equal(t, 1924, count(IsNumeric))
	for _, name := range []string{"", "C", "Cn", "Lx", "Han", "LC"} {
		_, ok := CategoryOf(name)
		assert.False(t, ok, name)
	}
}

func TestLower(t *testing.T) {
	assert.Equal(t, "i\u0307σ ß ὀδυσσεύσ", Lower("İΣ ß ὈΔΥΣΣΕΎΣ"))
	assert.Equal(t, "\u1c8a\u0264", Lower("\u1c89\ua7cb"))
	assert.Equal(t, 1488, count(func(r rune) bool { return Lower(string(r)) != string(r) }))
}

func TestNormalize(t *testing.T) {
	for _, c := range []struct {
		form     norm.Form
		in, want string
	}{
		{norm.NFC, "e\u0301 \u1112\u1161\u11ab \u0344", "é 한 \u0308\u0301"},
		{norm.NFC, "a\u0323\u0302", "\u1ead"},
		{norm.NFC, "a\u0302\u0323", "\u1ead"},
		{norm.NFC, "\u0344", "\u0308\u0301"},
		{norm.NFC, "\u212b\u2126\u0958", "ÅΩ\u0915\u093c"},
		{norm.NFD, "ǖ각", "u\u0308\u0304\u1100\u1161\u11a8"},
		{norm.NFKC, "ﬁ①ﷺ", "fi1صلى الله عليه وسلم"},
		{norm.NFKC, "㋿", "㋿"},                                      // of Unicode 12.1
		{norm.NFC, "\U00011935\U00011930", "\U00011935\U00011930"}, // compose since Unicode 13
	} {
		assert.Equal(t, c.want, Normalize(c.form, c.in), "%+q", c.in)
	}
	zalgo := "e" + strings.Repeat("\u0301", 100)
	assert.Equal(t, "é"+strings.Repeat("\u0301", 99), Normalize(norm.NFC, zalgo))
}

// The table-driven form and x/text's must agree where neither version nor stream safety matters.
func FuzzNormalize(f *testing.F) {
	for _, s := range []string{"", "e\u0301", "한글", "\u0344\u0323", "ﬁ½ÅΩ", "क्क़\u0301", "\U0001d15e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return
		}
		for _, form := range []norm.Form{norm.NFC, norm.NFD, norm.NFKC, norm.NFKD} {
			got := Normalize(form, s)
			assert.Equal(t, got, Normalize(form, got), "not idempotent")
			if want := form.String(s); !strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(inert, r) }) &&
				!strings.ContainsRune(want, '\u034f') {
				assert.Equal(t, want, got)
			}
		}
	})
}

func TestGrapheme(t *testing.T) {
	for _, want := range [][]string{
		{"a", "b"}, {"\r\n", "\n", "\r"}, {"e\u0301", "x"}, {"각", "\u1100\u1161\u11a8", "a"}, {"🇩🇪", "🇫🇷", "🇩"},
		{"👩\u200d👩\u200d👧", "👧"}, {"\u0600a", "b"}, {"क्षि", "क"}, {"\u200b", "\u0301"}, {"👍🏽", "👍"}, {"a\u0903\u200d", "👍"},
	} {
		var got []string
		for s := strings.Join(want, ""); s != ""; {
			n := Grapheme(s)
			got, s = append(got, s[:n]), s[n:]
		}
		assert.Equal(t, want, got)
	}
}
