package remote

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// yes and no are these answers as fold leaves them.
const (
	yes = "yes"
	no  = "no"
)

// endOfThoughts is how open models close what they think before they answer.
const (
	thoughts      = "<think>"
	endOfThoughts = "</think>"
)

// answerText removes thoughts and the spaces around what is left. Thoughts that do
// not end leave nothing.
func answerText(text string) string {
	if _, after, found := strings.Cut(text, endOfThoughts); found {
		text = after
	} else if strings.HasPrefix(strings.TrimSpace(text), thoughts) {
		text = ""
	}
	return strings.TrimSpace(text)
}

// fold makes spellings comparable: lower case, no spaces, nor the marks by which
// vocabularies write them. A character that is cut off at the end, as in one token
// of several, stays as it is.
func fold(text string) string {
	whole := len(text)
	for whole > 0 && len(text)-whole < utf8.UTFMax && !utf8.ValidString(text[:whole]) {
		whole--
	}
	folded := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == '▁' || r == 'Ġ' || r == 'Ċ' {
			return -1
		}
		return unicode.ToLower(r)
	}, text[:whole])
	return folded + text[whole:]
}

// undecorate removes what stands before the first word: quotes, asterisks,
// brackets. wanted keeps it if it begins with such a thing itself.
func undecorate(folded, wanted string) string {
	if r, _ := utf8.DecodeRuneInString(wanted); !inWord(r) {
		return folded
	}
	return strings.TrimLeftFunc(folded, func(r rune) bool { return r != utf8.RuneError && !inWord(r) })
}

func inWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) }

// rateText says 1 or 0 by the words, and whether it can.
func rateText(text, answer string) (Rating, bool) {
	r := Rating{Text: text}
	said, decided := yesOrNo(text)
	switch {
	case decided && said:
		r.Yes = 1
	case decided:
		r.No = 1
	}
	switch fold(answer) {
	case yes:
		r.P = r.Yes
	case no:
		r.P = r.No
	default:
		// Any other answer was given if the text begins with it.
		if begins(text, answer) {
			r.P = 1
		}
		return r, true
	}
	return r, decided
}

// begins reports whether text begins with the answer's words.
func begins(text, answer string) bool {
	wanted, words, wantedWords := fold(answer), splitWords(text), splitWords(answer)
	// fold drops spaces and keeps punctuation, which splitWords does the other way
	// round: "no" begins "nothing" for the one, "-3" begins "3" for the other.
	return strings.HasPrefix(undecorate(fold(text), wanted), wanted) &&
		len(words) >= len(wantedWords) && slices.Equal(words[:len(wantedWords)], wantedWords)
}

// splitWords returns the words in lower case, without punctuation.
func splitWords(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !inWord(r) && r != '\'' && r != '’' })
}

// conclusion finds what an answer with preliminaries comes to: "The answer is:
// **Yes**".
var conclusion = regexp.MustCompile(`(?i)\banswer(?:\s+is|\s+would\s+be)?\s*[:=]?\s*[^\pL\pN]*(yes|no)\b`)

// undecided finds an answer that gives both words at once.
var undecided = regexp.MustCompile(`(?i)^[^\pL\pN]*(?:yes|no)\s*(?:/|\||\band\b|\bor\b)\s*(?:yes|no)\b`)

// yesOrNo reads whether text says yes, and whether it says either. The first word
// decides, then a conclusion, then a last line of that one word. A "no" somewhere
// inside decides nothing: "there is no furniture" may well mean yes.
func yesOrNo(text string) (said, decided bool) {
	words := splitWords(text)
	if len(words) == 0 {
		return false, false
	}
	if words[0] == yes || words[0] == no {
		return words[0] == yes, !undecided.MatchString(text)
	}
	if found := conclusion.FindAllStringSubmatchIndex(text, -1); found != nil {
		last := found[len(found)-1]
		return strings.EqualFold(text[last[2]:last[3]], yes), !undecided.MatchString(text[last[2]:])
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if last := splitWords(lines[len(lines)-1]); len(last) == 1 && (last[0] == yes || last[0] == no) {
		return last[0] == yes, true
	}
	return false, false
}
