package show

import (
	"strings"

	generator "github.com/dualprocess/dualprocess-go/generator/pocket"
	verifier "github.com/dualprocess/dualprocess-go/verifier/pocket"
)

// helpWidth is the number of columns of what -help prints.
const helpWidth = 80

// pocketHelp tells what the embedded models understand.
func pocketHelp() string {
	var b strings.Builder
	section := func(title string, lines ...string) {
		b.WriteString("\n" + wrap(title, "", ""))
		for _, line := range lines {
			b.WriteString(wrap(line, "  ", "      "))
		}
	}
	section("Prompts that the embedded generator was trained on, where (a|b) is one of several and [c] may be left out:",
		generator.Prompts()...)
	section("Its words:", strings.Join(generator.Vocabulary(), " "))
	section("Questions that the embedded verifier was trained on, among others:", verifier.Questions()...)
	section("Its words, for questions and answers:", strings.Join(verifier.Vocabulary(), " "))
	return b.String()
}

// wrap breaks a text into lines of helpWidth columns, at blanks. The first begins
// with one indent, the others with another.
func wrap(text, first, next string) string {
	var b strings.Builder
	line := first
	for k, word := range strings.Fields(text) {
		if k > 0 && len(line)+1+len(word) > helpWidth {
			b.WriteString(line + "\n")
			line = next + word
			continue
		}
		if k > 0 {
			line += " "
		}
		line += word
	}
	return b.String() + line + "\n"
}
