package mistral3

import (
	"io/fs"
	"strconv"
	"strings"
	"unicode"

	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// assignment is how the chat templates begin what they put before a conversation
// without a system message.
const assignment = "set default_system_message ="

// readSystem finds the system message in the folder's chat template. A folder without a
// template has none, nor has a template that sets none.
func readSystem(fsys fs.FS) (string, error) {
	template, file, err := hf.ReadChatTemplate(fsys)
	if err != nil {
		return "", err
	}
	_, rest, found := strings.Cut(template, assignment)
	if !found {
		return "", nil
	}
	message, ok := evaluate(rest)
	return message, hf.Within(file, hf.Check(ok, "default_system_message is set to no text that is understood: %.60q", rest))
}

// evaluate returns the value of a Jinja expression that ends a tag: texts in quotes and
// names of variables, joined by +. A name stands in braces: Mistral Small's date of the
// day would make another prompt every day, and Ministral's stands so in its text.
func evaluate(expression string) (string, bool) {
	var value strings.Builder
	for {
		expression = strings.TrimLeftFunc(expression, unicode.IsSpace)
		name := expression[:len(expression)-len(strings.TrimLeftFunc(expression, isName))]
		if name != "" {
			value.WriteString("{" + name + "}")
			expression = expression[len(name):]
		} else if text, rest, ok := unquote(expression); ok {
			value.WriteString(text)
			expression = rest
		} else {
			return "", false
		}
		expression = strings.TrimLeftFunc(expression, unicode.IsSpace)
		if strings.HasPrefix(expression, "%}") || strings.HasPrefix(expression, "-%}") {
			return value.String(), true
		}
		rest, joined := strings.CutPrefix(expression, "+")
		if !joined {
			return "", false
		}
		expression = rest
	}
}

func isName(r rune) bool { return r == '_' || unicode.IsLetter(r) }

// unquote reads the text in quotes that s begins with, and returns what follows it.
func unquote(s string) (text, rest string, ok bool) {
	if s == "" || s[0] != '\'' && s[0] != '"' {
		return "", s, false
	}
	quote, s := s[0], s[1:]
	var b strings.Builder
	for s != "" && s[0] != quote {
		if strings.HasPrefix(s, `\'`) || strings.HasPrefix(s, `\"`) { // whichever is around the text
			b.WriteByte(s[1])
			s = s[2:]
			continue
		}
		r, _, tail, err := strconv.UnquoteChar(s, 0)
		if err != nil {
			return "", s, false
		}
		b.WriteRune(r)
		s = tail
	}
	if s == "" {
		return "", s, false
	}
	return b.String(), s[1:], true
}
