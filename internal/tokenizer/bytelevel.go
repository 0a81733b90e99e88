package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// gpt2Pattern is how a ByteLevel pre-tokenizer cuts unless told not to.
const gpt2Pattern = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

// byteRune is the visible character that stands for a byte in byte-level vocabularies: the byte's own character where
// Latin-1 shows one, else the next free one from U+0100 on.
func byteRune(b byte) rune {
	switch {
	case '!' <= b && b <= '~', 0xa1 <= b && b <= 0xac, 0xae <= b:
		return rune(b)
	case b <= ' ':
		return 0x100 + rune(b)
	case b <= 0xa0:
		return 0x100 + rune(b) - 0x7f + 0x21
	default: // 0xad
		return 0x143
	}
}

// runeByte is the inverse of byteRune.
func runeByte(r rune) (byte, bool) {
	var b rune
	switch {
	case r < 0x100:
		b = r
	case r <= 0x120:
		b = r - 0x100
	case r <= 0x142:
		b = r - 0x100 + 0x7f - 0x21
	default:
		b = 0xad
	}
	return byte(b), byteRune(byte(b)) == r
}

// byteLevel writes each byte of text as its visible character.
func byteLevel(text string) string {
	var b strings.Builder
	b.Grow(len(text) * 3 / 2)
	for i := range len(text) {
		b.WriteRune(byteRune(text[i]))
	}
	return b.String()
}

// byteLevelPieces is the last step of a ByteLevel pre-tokenizer.
type byteLevelPieces struct{}

func (byteLevelPieces) split(in []piece) []piece {
	for i := range in {
		in[i].text = byteLevel(in[i].text)
	}
	return in
}

// spacePrefix begins every piece with a space that doesn't have one.
type spacePrefix struct{}

func (spacePrefix) split(in []piece) []piece {
	for i := range in {
		if !strings.HasPrefix(in[i].text, " ") {
			in[i].text = " " + in[i].text
		}
	}
	return in
}

// decodeByteLevel turns tokens of visible characters back into bytes, all at once, as a character may be spread over
// tokens. A token with any other character in it stands for itself.
func decodeByteLevel(tokens []string) []string {
	var out []byte
	for _, t := range tokens {
		from := len(out)
		for _, r := range t {
			b, ok := runeByte(r)
			if !ok {
				out = append(out[:from], t...)
				break
			}
			out = append(out, b)
		}
	}
	return []string{lossy(out)}
}

// lossy replaces what is no UTF-8 by U+FFFD: one for each longest beginning of a character, as Rust does.
func lossy(in []byte) string {
	if utf8.Valid(in) {
		return string(in)
	}
	var b strings.Builder
	for len(in) > 0 {
		r, size := utf8.DecodeRune(in)
		if r == utf8.RuneError && size == 1 {
			for size < len(in) && !utf8.FullRune(in[:size+1]) {
				size++
			}
		}
		b.WriteRune(r)
		in = in[size:]
	}
	return b.String()
}
