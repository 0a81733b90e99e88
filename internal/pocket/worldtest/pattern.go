package worldtest

import "strings"

// Expand lists the texts of a pattern, in which (a|b) is one of several and [c]
// may be left out.
func Expand(pattern string) []string {
	at := strings.IndexAny(pattern, "([")
	if at < 0 {
		return []string{pattern}
	}
	end, choices := parts(pattern[at:])
	if pattern[at] == '[' {
		choices = append(choices, "")
	}
	var all []string
	for _, choice := range choices {
		for _, text := range Expand(pattern[:at] + choice + pattern[at+end:]) {
			all = append(all, strings.Join(strings.Fields(text), " "))
		}
	}
	return all
}

// parts splits what stands in the brackets that a text begins with, and returns
// where they end.
func parts(text string) (end int, list []string) {
	depth, from := 0, 1
	for i, r := range text {
		switch {
		case r == '(' || r == '[':
			depth++
		case r == '|' && depth == 1:
			list, from = append(list, text[from:i]), i+1
		case r == ')' || r == ']':
			if depth--; depth == 0 {
				return i + 1, append(list, text[from:i])
			}
		}
	}
	panic("unbalanced brackets: " + text)
}
