package vlmtest

import (
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
)

// Asked is what a model reads when a question is asked about a picture of a size.
func Asked(t *testing.T, v *vlm.Verifier, q dualprocess.Question, picture vision.Size) []int {
	t.Helper()
	before, err := vlm.Prefix(v, picture)
	require.NoError(t, err)
	in, err := v.Prepare(t.Context(), q, picture.Height, picture.Width)
	require.NoError(t, err)
	all := slices.Clone(before)
	for _, id := range tensors.MustCopyFlatData[int32](in[0]) {
		all = append(all, int(id))
	}
	return all
}

// Token is the id of a token that the model's tokenizer must have.
func Token(t *testing.T, v *vlm.Verifier, name string) int {
	t.Helper()
	id, ok := vlm.Pieces(v).Tokenizer.ID(name)
	require.True(t, ok, name)
	return id
}

// Count says how often a token is among ids.
func Count(t *testing.T, v *vlm.Verifier, ids []int, name string) (n int) {
	t.Helper()
	token := Token(t, v, name)
	for _, id := range ids {
		if id == token {
			n++
		}
	}
	return n
}
