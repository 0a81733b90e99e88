package worldtest

import (
	"go/doc/comment"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// DocLines returns the preformatted lines of a file's package comment. A line that
// is indented goes on with the one before.
func DocLines(t *testing.T, file string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.PackageClauseOnly)
	require.NoError(t, err)
	var lines []string
	var p comment.Parser
	for _, block := range p.Parse(f.Doc.Text()).Content {
		code, ok := block.(*comment.Code)
		if !ok {
			continue
		}
		for line := range strings.Lines(code.Text) {
			switch text := strings.TrimSpace(line); {
			case text == "":
			case strings.HasPrefix(line, " "):
				lines[len(lines)-1] += " " + text
			default:
				lines = append(lines, text)
			}
		}
	}
	return lines
}
