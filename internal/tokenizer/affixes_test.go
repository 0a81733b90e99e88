package tokenizer

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAffixes(t *testing.T) {
	for folder, around := range map[string][2]int{"llava": {1, 0}, "pixtral": {0, 0}, "t5": {0, 1}, "clip": {1, 1}} {
		tok, err := Open(os.DirFS(filepath.Join(testdata, "tokenizer", folder)), ".")
		require.NoError(t, err, folder)
		before, after := tok.Affixes()
		assert.Equal(t, around, [2]int{len(before), len(after)}, folder)
		bare, err := tok.EncodeParts(Part{Text: "a red line"})
		require.NoError(t, err)
		whole, err := tok.Encode("a red line")
		require.NoError(t, err)
		assert.Equal(t, whole, append(append(append([]int{}, before...), bare...), after...))
	}
}
