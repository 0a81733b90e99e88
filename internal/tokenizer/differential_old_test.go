package tokenizer

import "unicode"

// old says that a character is of Unicode 15 or older, which both engines know alike.
func old(r rune) bool { return !unicode.Is(unicode.Cn, r) }
