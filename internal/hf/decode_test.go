package hf

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDecode(t *testing.T) {
	v := struct{ Size, Depth int }{Depth: 3}
	require.NoError(t, Decode([]byte(`{"size": 2}`), &v))
	require.Equal(t, struct{ Size, Depth int }{2, 3}, v)
	require.ErrorContains(t, Decode([]byte(`{"sizes": 2}`), &v), "sizes")
}
