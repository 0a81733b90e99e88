package tokenizer

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"golang.org/x/text/unicode/norm"
)

func TestPunctuation(t *testing.T) {
	for r, want := range map[rune]bool{
		'!': true, '$': true, '`': true, '~': true, 'a': false, ' ': false, '€': false, '¿': true, '、': true,
		'\u2e42': true, '\u2e43': false, // of Unicode 7 and 9
		'\u166d': true, // which is a symbol since Unicode 12
	} {
		assert.Equal(t, want, isPunctuation(r), "%U", r)
	}
}

func TestLower(t *testing.T) {
	assert.Equal(t, "i\u0307σ ß ὀδυσσεύσ", lower("İΣ ß ὈΔΥΣΣΕΎΣ"))
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
		assert.Equal(t, c.want, normalize(c.form, c.in), "%+q", c.in)
	}
	zalgo := "e" + strings.Repeat("\u0301", 100)
	assert.Equal(t, "é"+strings.Repeat("\u0301", 99), normalize(norm.NFC, zalgo))
}

// Where neither version nor stream safety matters, normalize and x/text agree.
func FuzzNormalize(f *testing.F) {
	for _, s := range []string{"", "e\u0301", "한글", "\u0344\u0323", "ﬁ½ÅΩ", "क्क़\u0301", "\U0001d15e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return
		}
		for _, form := range []norm.Form{norm.NFC, norm.NFD, norm.NFKC, norm.NFKD} {
			got := normalize(form, s)
			assert.Equal(t, got, normalize(form, got), "not idempotent")
			newer := strings.ContainsFunc(s, func(r rune) bool { return !unicode.Is(unicode9, r) })
			if want := form.String(s); !newer && !strings.ContainsRune(want, '\u034f') {
				assert.Equal(t, want, got)
			}
		}
	})
}
