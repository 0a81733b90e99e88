package pocket

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
	"github.com/dualprocess/dualprocess-go/internal/pocket/worldtest"
)

// TestPrompts: the patterns are those of the documentation, give every caption that
// the model was trained on, and have all words that the tokenizer knows.
func TestPrompts(t *testing.T) {
	assert.Equal(t, worldtest.DocLines(t, "doc.go"), Prompts())
	var words []string
	for k, f := range world.Families() {
		prompts := worldtest.Expand(Prompts()[k])
		assert.Subset(t, prompts, world.Captions(f))
		for _, prompt := range prompts {
			words = append(words, world.Tokens(prompt)...)
		}
	}
	slices.Sort(words)
	assert.Equal(t, slices.Compact(words), Vocabulary())
}
