package tokenizer

import (
	"unicode"
)

// isSpace is Unicode's White_Space, which Rust's char::is_whitespace and both regular expression dialects mean.
func isSpace(r rune) bool { return unicode.IsSpace(r) }

// isWord is \w of Rust's regex crate: Alphabetic, Mark, Decimal_Number, Connector_Punctuation, Join_Control.
func isWord(r rune) bool {
	if r < 0x80 {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_'
	}
	return unicode.In(r, unicode.L, unicode.Nl, unicode.Other_Alphabetic, unicode.M, unicode.Nd, unicode.Pc, unicode.Join_Control)
}

// isPunctuation is what BERT and the Punctuation pre-tokenizer cut at: ASCII's symbols too ("$", "+", "^").
func isPunctuation(r rune) bool {
	if r < 0x80 {
		return '!' <= r && r <= '/' || ':' <= r && r <= '@' || '[' <= r && r <= '`' || '{' <= r && r <= '~'
	}
	return unicode.Is(unicode.P, r)
}

// isNumeric is Rust's char::is_numeric: Nd, Nl and No.
func isNumeric(r rune) bool { return unicode.Is(unicode.N, r) }
