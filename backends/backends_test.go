package backends

import (
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/stretchr/testify/require"
)

func TestOpen(t *testing.T) {
	for _, spec := range []string{"", "go"} {
		r, err := Open(t.Context(), Options{Backend: spec})
		require.NoError(t, err)
		out, err := ExecOnce(r.Backend, func(x *Node) *Node { return Add(x, x) }, []float32{1, 2})
		require.NoError(t, err)
		require.Equal(t, []float32{2, 4}, out.Value())
		t.Log(r.Name, r.Reason)
		require.NoError(t, r.Close())
	}
}
