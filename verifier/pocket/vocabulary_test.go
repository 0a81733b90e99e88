package pocket

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/pocket/teaching"
	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
	"github.com/dualprocess/dualprocess-go/internal/pocket/worldtest"
)

// TestQuestions: the patterns are those of the documentation, there is one for all
// that the model was taught, and it was taught all that they give.
func TestQuestions(t *testing.T) {
	assert.Equal(t, worldtest.DocLines(t, "doc.go"), Questions())
	var listed, taught []string
	for _, pattern := range Questions() {
		listed = append(listed, worldtest.Expand(pattern)...)
	}
	for _, f := range world.Families() {
		for _, wordings := range teaching.Wordings(f) {
			assert.True(t, slices.ContainsFunc(wordings, func(w string) bool { return slices.Contains(listed, w) }), wordings[0])
			taught = append(taught, wordings...)
		}
	}
	assert.Subset(t, taught, listed)
	assert.Equal(t, teaching.Words(), Vocabulary())
}

func TestDocumentedAnswers(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	text := strings.Join(strings.Fields(strings.ReplaceAll(string(doc), "//", "")), " ")
	words := teaching.PositionWords()
	last := len(words) - 1
	assert.Contains(t, text, strings.Join(words[:last], ", ")+" and "+words[last])
}
