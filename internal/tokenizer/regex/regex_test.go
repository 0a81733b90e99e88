package regex

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	gpt2    = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	qwen    = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	pixtral = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// find returns the matched texts.
func find(t testing.TB, pattern, text string) []string {
	t.Helper()
	re, err := Compile(pattern)
	require.NoError(t, err, pattern)
	spans, err := re.FindAll(text)
	require.NoError(t, err, pattern)
	out := []string{}
	for _, s := range spans {
		out = append(out, text[s[0]:s[1]])
	}
	return out
}

func TestFindAll(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          []string
	}{
		{"a", "banana", []string{"a", "a", "a"}},
		{"a|ab", "ab", []string{"a"}},
		{"(?:a|ab)c", "abc", []string{"abc"}},
		{"a*", "aab", []string{"aa", ""}},
		{"a*?b", "aab", []string{"aab"}},
		{"a+?", "aa", []string{"a", "a"}},
		{"a{2}", "aaaaa", []string{"aa", "aa"}},
		{"a{2,}", "aaaaa", []string{"aaaaa"}},
		{"a{,2}b", "aaab", []string{"aab"}},
		{"(ab){1,2}", "ababab", []string{"abab", "ab"}},
		{"(ab){1,2}?", "abab", []string{"ab", "ab"}},
		{"a?+a", "a", []string{}},
		{"a++b", "aab", []string{"aab"}},
		{"(?>a|ab)c", "abc", []string{}},
		{"a(?=b)", "abac", []string{"a"}},
		{"a(?!b)", "abac", []string{"a"}},
		{`\s+(?!\S)|\s+`, "a   b \u3000", []string{"  ", " ", " \u3000"}},
		{`[^\S\n]+`, "a \n\t", []string{" ", "\t"}},
		{`[a-c\d_-]+`, "xab-3_d", []string{"ab-3_"}},
		{`\p{Lu}\P{Lu}\p{^L}`, "Ab1AB1", []string{"Ab1"}},
		{`(?i:'s|ß|k)`, "'S'sıſ'ſẞ\u212a", []string{"'S", "'s", "'ſ", "ẞ", "\u212a"}},
		{`(?i:[a-f])(?-i:x)`, "AxaxAX", []string{"Ax", "ax"}},
		{`\x41\u00e9\x{1F600}\.`, "Aé😀.", []string{"Aé😀."}},
		{`.\r?\n`, "é\r\nx\n\n", []string{"é\r\n", "x\n"}},
		{`\w+|[\w]`, "a²\u200d", []string{"a²"}},
		{`[\w]+`, "a²\u200d", []string{"a"}},
		{`\h\w\d`, "fé٣", []string{"fé٣"}},
		{"", "aé", []string{"", "", ""}},
		{qwen, "It's 12 o'CLOCK\r\n\n  now  ", []string{"It", "'s", " ", "1", "2", " o", "'CLOCK", "\r\n\n", " ", " now", "  "}},
		{qwen, "I'LL we'Ve don'ſ", []string{"I", "'LL", " we", "'Ve", " don", "'ſ"}},
		{pixtral, "HelloWorld ABc/\n  x", []string{"Hello", "World", " ABc", "/\n", " ", " x"}},
	} {
		assert.Equal(t, c.want, find(t, c.pattern, c.text), "%s on %q", c.pattern, c.text)
	}
}

func TestLiteral(t *testing.T) {
	spans, err := Literal("a.b").FindAll("a.bacba.b")
	require.NoError(t, err)
	assert.Equal(t, [][2]int{{0, 3}, {6, 9}}, spans)
}

func TestCompileErrors(t *testing.T) {
	for pattern, says := range map[string]string{
		`(a`: "( without )", `a)`: "unmatched )", `[a`: "[ without ]", `[]`: "within brackets", `[a[b]]`: "within brackets",
		`[b-a]`: "range in brackets", `\`: "at the end", `\q`: `\q`, `\1`: `\1`, `\p{Greek}`: `property "Greek"`, `\pL`: "property without braces",
		`*a`: "*", `^a`: "^", `a$`: "$", `(?<=a)b`: "group (?<=", `(?<n>a)`: "group", `a{2,1}`: "repetition from 2 to 1", `a{9999}`: "repetition",
		`a{`: "{ without }", `a{}`: "empty repetition", `(a*)*`: "can be empty", `(?=a)+`: "can be empty", `a{1}{1}{1}{1}`: "quantifiers in a row",
		`(((a{99}){99}){99}){99}`: "too large", `\x{110000}`: "code point", `\xff`: "code point", `\u00`: "code point", "\xff": "not UTF-8",
		strings.Repeat("(", 100): "nested", `[a&&b]`: "within brackets", `[a-`: "[ without ]", `[a-\d]`: "range",
	} {
		_, err := Compile(pattern)
		if assert.ErrorIs(t, err, ErrSyntax, pattern) {
			assert.ErrorContains(t, err, says, pattern)
		}
	}
}

func TestBudget(t *testing.T) {
	re, err := Compile(`(?:a|a|b)+c`)
	require.NoError(t, err)
	_, err = re.FindAll(strings.Repeat("a", 64))
	require.ErrorIs(t, err, ErrBudget)

	// What real patterns need is far below the budget, on the texts that cost them most.
	for _, text := range []string{strings.Repeat(" ", 1<<17), strings.Repeat("A", 1<<17) + "1", strings.Repeat("\u0301", 1<<16), strings.Repeat(" \n", 1<<16)} {
		for _, pattern := range []string{gpt2, qwen, pixtral} {
			re, err := Compile(pattern)
			require.NoError(t, err)
			_, err = re.FindAll(text)
			require.NoError(t, err)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, p := range []string{gpt2, qwen, pixtral, `a{2,3}?`, `(?i:[^a-f])`, `(?>a|b)++`, `\x{41}\u0041\p{^L}`, `a(?=b|(?!c))`, `(((((`, `[[a]`, `\p{`} {
		f.Add(p, "It's a test  \n 12")
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		re, err := Compile(pattern)
		if err != nil || !utf8.ValidString(text) || len(text) > 100 {
			return
		}
		spans, err := re.FindAll(text)
		if err != nil {
			assert.ErrorIs(t, err, ErrBudget)
			return
		}
		last := 0
		for _, s := range spans {
			assert.True(t, last <= s[0] && s[0] <= s[1] && s[1] <= len(text))
			last = s[1]
		}
		// Where both packages know the syntax and the text is ASCII they must agree.
		if std, err := regexp.Compile(pattern); err == nil && sameMeaning(pattern, text) {
			want := [][2]int{}
			for _, s := range std.FindAllStringIndex(text, -1) {
				want = append(want, [2]int{s[0], s[1]})
			}
			assert.Equal(t, want, append([][2]int{}, spans...), "%q on %q", pattern, text)
		}
	})
}

// sameMeaning excludes what Go's package means differently: \s, \v, \h, ., {,n}, quantifiers in a row, (?i) beyond ASCII.
func sameMeaning(pattern, text string) bool {
	for _, r := range pattern + text {
		if r >= utf8.RuneSelf {
			return false
		}
	}
	return !regexp.MustCompile(`\\|\{,|[*+?}][*+?{]|\[:|\(\?[^:i]`).MatchString(pattern)
}

func BenchmarkQwen(b *testing.B) {
	re, err := Compile(qwen)
	require.NoError(b, err)
	text := strings.Repeat("Is the horizon in the upper half of this image? Answer with Yes or No.\n", 10)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := re.FindAll(text); err != nil {
			b.Fatal(err)
		}
	}
}
