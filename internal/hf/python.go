package hf

import (
	"bytes"
	"slices"
)

// pythonWords are numbers that Python writes into JSON files though JSON has no
// words for them. The longest comes first.
var pythonWords = [][]byte{[]byte("-Infinity"), []byte("Infinity"), []byte("NaN")}

// withoutPython replaces these words by null: schedulers of diffusers hold them
// where they mean "no limit".
func withoutPython(text []byte) []byte {
	if !slices.ContainsFunc(pythonWords, func(word []byte) bool { return bytes.Contains(text, word) }) {
		return text
	}
	out := make([]byte, 0, len(text))
	for quoted := false; len(text) > 0; {
		at := slices.IndexFunc(pythonWords, func(word []byte) bool { return bytes.HasPrefix(text, word) })
		switch {
		case !quoted && at >= 0:
			out, text = append(out, "null"...), text[len(pythonWords[at]):]
			continue
		case quoted && text[0] == '\\' && len(text) > 1:
			out, text = append(out, text[0]), text[1:]
		case text[0] == '"':
			quoted = !quoted
		}
		out, text = append(out, text[0]), text[1:]
	}
	return out
}
