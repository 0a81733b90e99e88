package tokenizer

import (
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/tokenizer/regex"
)

// wild are the expressions of published tokenizers, and of the fixtures.
var wild = []string{
	gpt2Pattern, clipPattern, qwenPattern,
	`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
	`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
	`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
	`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
	`'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`,
	`'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s*[\r\n]|\s+(?!\S)|\s`,
	"[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
	"[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+|[\r\n]|\\s+(?!\\S)|\\s+",
	`[一-龥぀-ゟ゠-ヿ]+`, `[一-龥ࠀ-一가-퟿]+`, `\p{N}{1,3}`, `[0-9][0-9][0-9]`, `\s?\p{L}+`, `\s?\p{P}+`, `[` + "\r\n" + `]`,
	`\s?[!-/:-~！-／：-～‘-‟　-。]+`, `\p{N}{1}`, ` {2,}`, `\p{^L}+`, `(?i:ab|s)`, `\w+|[^\w\s]+`, `.`, `\s+`, `[^\s\p{L}\p{N}]+`, `\p{Lu}\p{Ll}*`, `\p{M}+`,
	`\s+(?!\S)|\s+`, `\d+|\D`, `[aeiou]{1,2}?`, `x*`, `\n|\p{Z}`, `[^\r\n]+`, `\W+`, `\S`, `(a|b){2,3}`, `(?i:k(?-i:s))`, `\u00e9|\x41`,
}

// alphabet are the pieces of random texts.
var alphabet = []string{
	" ", " ", " ", "  ", "\n", "\n", "\r", "\r\n", "\t", "\v", "\f", "\x00", "\x1f", "\x7f", "\u0085", "\u00a0", "\u1680", "\u2000", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "\u200b", "\ufeff", "\u180e",
	"a", "b", "s", "x", "S", "Is", "AB", "'s", "'S", "'ſ", "'LL", "'re", "'", "K", "\u212a", "é", "e\u0301", "ß", "ſ", "Ǆ", "ǅ", "ʰ", "ª", "\u0300", "\u0903", "\u20dd",
	"1", "12", "1234", "²", "½", "Ⅷ", "①", "Ⓐ", "🄰", "٣", "०", "。", "、", "中", "文", "日本語", "あ", "ア", "한", "각", "ก", "ا", "א", "हिन्दी",
	"!", "?", ".", ",", "/", "-", "_", "(", "]", "[", "\\", "^", "`", "~", "$", "+", "<", "€", "©", "→", "‿", "‘", "👍", "👍🏽", "👩\u200d👩", "\u200d", "\u200c", "🇩🇪", "\ufe0f",
	"\U00010400", "\U0001d165", "\U000e0001", "\U0010ffff", "\ue000", "\ufffd", "\ufffe", "▁", "Ġ", "º",
}

func randomText(rng *rand.Rand, invalid bool) string {
	var b strings.Builder
	for range 1 + rng.IntN(16) {
		switch k := rng.IntN(20); {
		case k < 17:
			b.WriteString(alphabet[rng.IntN(len(alphabet))])
		case k < 19:
			r := rune(rng.IntN(0x110000))
			if k == 18 {
				r = rune(rng.IntN(0x3100))
			}
			if 0xd800 <= r && r < 0xe000 {
				r = 'a'
			}
			if old(r) {
				b.WriteRune(r)
			}
		case invalid:
			b.WriteByte(byte(rng.IntN(256)))
		}
	}
	return b.String()
}

// TestDifferential compares the translation with the engine that it replaces.
func TestDifferential(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("STRINGS"))
	n = max(n, 2000)
	total, different := 0, 0
	for seed, expression := range wild {
		before, err := regex.Compile(expression)
		require.NoError(t, err)
		after, err := compile(expression)
		require.NoError(t, err)
		rng := rand.New(rand.NewPCG(uint64(seed), 12))
		for i := range n {
			text := randomText(rng, i%10 == 0)
			want, err := before.FindAll(text)
			require.NoError(t, err)
			got := after.findAll(text)
			same := len(want) == len(got)
			for k := 0; same && k < len(want); k++ {
				same = want[k] == [2]int(got[k])
			}
			total++
			if !same {
				if different++; different < 20 {
					t.Errorf("%s on %+q: %v, before %v", expression, text, got, want)
				}
			}
		}
	}
	t.Logf("%d expressions, %d strings, %d differences", len(wild), total, different)
}
