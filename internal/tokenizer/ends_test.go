package tokenizer

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEnds(t *testing.T) {
	before, behind := (&Tokenizer{post: template{before: []int{2}, after: []int{3, 4}}}).Ends()
	require.Equal(t, 1, before)
	require.Equal(t, 2, behind)
}
