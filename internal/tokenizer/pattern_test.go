package tokenizer

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pieces cuts text at what an expression matches.
func pieces(t testing.TB, expression, text string) []string {
	t.Helper()
	p, err := compile(expression)
	require.NoError(t, err)
	out := []string{}
	for _, s := range (splitter{findPattern(p), isolated}).split([]piece{{text: text}}) {
		out = append(out, s.text)
	}
	return out
}

// TestGoldenSplits has the pieces that tokenizers 0.23.3 makes, with the expressions of published tokenizers and others.
func TestGoldenSplits(t *testing.T) {
	const mixed = "It's 2024, we'LL  see\r\n\n  \u00a0\u3000x \u0085\u1680HelloWORLD's ?!/\n e\u0301\u4e2d\u6587\U0001f44d\U0001f3fd don'\u017f \u2028\u2028  "
	for _, c := range []struct {
		expression, text string
		want             []string
	}{
		{gpt2Pattern, mixed, []string{ // GPT-2
			"It", "'s", " 2024", ",", " we", "'", "LL", " ", " see", "\r\n\n  \u00a0", "\u3000", "x", " \u0085", "\u1680",
			"HelloWORLD", "'s", " ?!/", "\n", " e", "\u0301", "\u4e2d\u6587", "\U0001f44d\U0001f3fd", " don", "'", "\u017f",
			" \u2028\u2028  ",
		}},
		{clipPattern, mixed, []string{ // CLIP
			"It", "'s", " ", "2", "0", "2", "4", ",", " ", "we", "'", "LL", "  ", "see", "\r\n\n  \u00a0\u3000", "x",
			" \u0085\u1680", "HelloWORLD", "'s", " ", "?!/", "\n ", "e", "\u0301", "\u4e2d\u6587", "\U0001f44d\U0001f3fd",
			" ", "don", "'", "\u017f", " \u2028\u2028  ",
		}},
		{qwenPattern, mixed, []string{ // Qwen 2
			"It", "'s", " ", "2", "0", "2", "4", ",", " we", "'LL", " ", " see", "\r\n\n", "  \u00a0", "\u3000x", " \u0085",
			"\u1680HelloWORLD", "'s", " ?!/\n", " e", "\u0301\u4e2d\u6587", "\U0001f44d\U0001f3fd", " don", "'\u017f",
			" \u2028\u2028  ",
		}},
		{`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`, mixed, []string{ // Qwen 3.5
			"It", "'s", " ", "2", "0", "2", "4", ",", " we", "'LL", " ", " see", "\r\n\n", "  \u00a0", "\u3000x", " \u0085",
			"\u1680HelloWORLD", "'s", " ?!/\n", " e\u0301\u4e2d\u6587", "\U0001f44d\U0001f3fd", " don", "'\u017f",
			" \u2028\u2028  ",
		}},
		{`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`, mixed, []string{ // Llama 3
			"It", "'s", " ", "202", "4", ",", " we", "'LL", " ", " see", "\r\n\n", "  \u00a0", "\u3000x", " \u0085",
			"\u1680HelloWORLD", "'s", " ?!/\n", " e", "\u0301\u4e2d\u6587", "\U0001f44d\U0001f3fd", " don", "'\u017f",
			" \u2028\u2028  ",
		}},
		{`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`, mixed, []string{ // Tekken
			"It", "'s", " ", "2", "0", "2", "4", ",", " we", "'LL", " ", " see", "\r\n\n", "  \u00a0", "\u3000x", " \u0085",
			"\u1680Hello", "WORLD", "'s", " ?!/\n", " e\u0301\u4e2d\u6587", "\U0001f44d\U0001f3fd", " don", "'\u017f",
			" \u2028\u2028  ",
		}},
		{`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`, mixed, []string{ // o200k
			"It's", " ", "202", "4", ",", " we'LL", " ", " see", "\r\n\n", "  \u00a0", "\u3000x", " \u0085", "\u1680Hello",
			"WORLD's", " ?!/\n", " e\u0301\u4e2d\u6587", "\U0001f44d\U0001f3fd", " don'\u017f", " \u2028\u2028  ",
		}},
		{`'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`, mixed, []string{ // LLaDA
			"It", "'s", " ", "2", "0", "2", "4", ",", " we", "'LL", " ", " see", "\r\n\n", "  \u00a0", "\u3000x", " \u0085",
			"\u1680HelloWORLD", "'s", " ?!/\n", " e", "\u0301\u4e2d\u6587", "\U0001f44d\U0001f3fd", " don", "'\u017f",
			" \u2028\u2028  ",
		}},
		{"[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+", mixed, []string{ // DeepSeek
			"It", "'s", " ", "2024", ",", " we", "'LL", " ", " see", "\r\n\n", "  \u00a0", "\u3000x", " \u0085",
			"\u1680HelloWORLD", "'s", " ?!/\n", " e\u0301\u4e2d\u6587", "\U0001f44d\U0001f3fd", " don", "'", "\u017f",
			" \u2028\u2028  ",
		}},
		{`\w+|[^\w\s]+`, "a\u00b2\u200d \u00bdx_\u24d0\U0001f130!", []string{"a\u00b2", "\u200d", " ", "\u00bdx_\u24d0\U0001f130", "!"}},
		{`[\w]+`, "a\u00b2b", []string{"a", "\u00b2", "b"}},
		{`\d+|\D`, "\u06632\u00b2a", []string{"\u06632", "\u00b2", "a"}},
		{`(?i:[a-f])(?-i:x)`, "AxaxAX\u017f", []string{"Ax", "ax", "AX\u017f"}},
		{`[aeiou]{1,2}?`, "beau", []string{"b", "e", "a", "u"}},
		{`\u00e9|\x41|\.`, "A\u00e9.b", []string{"A", "\u00e9", ".", "b"}},
		{`.\r?\n`, "\u00e9\r\nx\n\n", []string{"\u00e9\r\n", "x\n", "\n"}},
		{`x*`, "axxb", []string{"a", "xx", "b"}},
		{`(a|b){2,3}c?`, "ababcab", []string{"aba", "bc", "ab"}},
		{`[^\r\n\p{L}]?+\p{L}+|\p{N}++a`, "-a1a", []string{"-a", "1a"}},
		{`\s+(?!\S)|\s+`, "  a \u3000", []string{" ", " ", "a", " \u3000"}},
		{`\p{^L}+`, "ab1 2c", []string{"ab", "1 2", "c"}},
		{`\p{Lu}\P{Lu}`, "AbAB", []string{"Ab", "AB"}},
		{`(?i:'s|k)`, "'\u017f\u212aK", []string{"'\u017f", "\u212a", "K"}},
	} {
		assert.Equal(t, c.want, pieces(t, c.expression, c.text), "%s on %+q", c.expression, c.text)
	}
}

// What cannot be taken is an error that quotes the expression.
func TestUnsupportedExpressions(t *testing.T) {
	for expression, says := range map[string]string{
		`(a`: "missing closing )", `a)`: "unexpected )", `[a`: "from \"[a\"", `[]`: "from \"[]\"", `[a[b]]`: "from", `[\p{L}&&[^a]]`: "from", `[a&&b]`: "from",
		`[b-a]`: "range", `\`: "from", `\q`: "from", `\1`: "from", `\b`: "from", `\h`: "from", `\p{Greece}`: "range", `\pL`: "from", `[^\S]`: "from", `\xff`: "from",
		`^a`: "from \"^a\"", `a$`: "from \"$\"", `*a`: "from", `(?<=a)b`: "argument", `(?<n>a)`: "argument", `(?=a)`: "argument", `(?!a)b`: "argument", `(?>a)`: "argument",
		`a{2,1}`: "repeat", `a{1001}`: "repeat", `a{`: "from", `a{,2}`: "from", `a{2}?`: "from", `a{2}+`: "from", `a**`: "from", `a|*`: "argument",
		`(a*)*`: "can be empty", `(?:a|b?){2}`: "can be empty", strings.Repeat(`(?:[ab]c){999}`, 20): "too large", strings.Repeat(`\p{L}`, 500): "too large",
		`a++a`: "possessive", `\p{L}++\w`: "possessive", `(a|b)++`: "possessive", `.?+a`: "possessive", `a?+b*a`: "possessive", `(?:a++)`: "possessive",
		`a\s+(?!\S)`: "argument", `\s+(?!\S)`: "argument", `(?:\s+(?!\S)|\s+)`: "look-ahead", `\s+(?!\S)|\s+a`: "look-ahead", `x*|\s+(?!\S)|\s+`: "look-ahead",
		`(?:\r?\n)+(?!\r?\n)`: "argument", strings.Repeat("(", 17) + "a" + strings.Repeat(")", 17): "groups in groups",
	} {
		_, err := compile(expression)
		if assert.ErrorIs(t, err, ErrUnsupported, expression) {
			assert.ErrorContains(t, err, says, expression)
			assert.Contains(t, err.Error(), strings.Trim(strconv.Quote(expression), `"`))
		}
	}
}

// TestClasses compares the classes that are written out with Go's tables, character by character.
func TestClasses(t *testing.T) {
	word, space := regexp.MustCompile(`[`+wordClass+`]`), regexp.MustCompile(`[`+spaceClass+`]`)
	for r := range rune(unicode.MaxRune + 1) {
		if !utf8.ValidRune(r) {
			continue
		}
		if want := isWord(r) && !unicode.Is(unicode.Join_Control, r); want != word.MatchString(string(r)) {
			t.Errorf("%U is a word character: %v", r, want)
		}
		if want := unicode.IsSpace(r); want != space.MatchString(string(r)) {
			t.Errorf("%U is white space: %v", r, want)
		}
	}
}

// TestLongSplits would take minutes if a search were not linear in its text.
func TestLongSplits(t *testing.T) {
	for _, unit := range []string{" ", "A", "\u0301", " \n", "\u3000a", "'"} {
		text := strings.Repeat(unit, 1<<16)
		for _, expression := range []string{gpt2Pattern, clipPattern, qwenPattern} {
			assert.Equal(t, text, strings.Join(pieces(t, expression, text), ""))
		}
	}
}

func FuzzPattern(f *testing.F) {
	for _, e := range []string{gpt2Pattern, clipPattern, qwenPattern, `a{2,3}?`, `(?i:[^a-f])`, `(?:a|b)+`, `\x{41}\u0041\p{^L}`, `a++b?+[cd]*`, `\s+(?!\S)|\s|\w`, `(((((`, `[[a]`, `\p{`} {
		f.Add(e, "It's a test  \n 12")
	}
	f.Fuzz(func(t *testing.T, expression, text string) {
		if len(expression) > maxPattern || len(text) > 100 {
			return
		}
		p, err := compile(expression)
		if err != nil {
			assert.ErrorIs(t, err, ErrUnsupported)
			return
		}
		last := 0
		for _, s := range p.findAll(text) {
			assert.True(t, last <= s[0] && s[0] <= s[1] && s[1] <= len(text))
			last = s[1]
		}
		// Of ASCII, without escapes and possessive quantifiers, Go has the same notion.
		if std, err := regexp.Compile(expression); err == nil && !strings.ContainsAny(expression, `\`) && !strings.Contains(expression, "+") {
			assert.Equal(t, std.FindAllStringIndex(text, -1), p.findAll(text), "%q on %q", expression, text)
		}
	})
}
