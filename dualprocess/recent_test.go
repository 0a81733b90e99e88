package dualprocess

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRecent(t *testing.T) {
	var freed []int
	r := newRecent[string](2, func(v int) { freed = append(freed, v) })
	r.put("a", 1)
	r.put("b", 2)
	v, ok := r.get("a")
	require.Equal(t, []any{1, true}, []any{v, ok})
	r.put("c", 3)
	require.Equal(t, []int{2}, freed, "the one not used for longest")
	_, ok = r.get("b")
	require.False(t, ok)
	r.clear()
	require.Equal(t, []int{2, 1, 3}, freed)
	_, ok = r.get("a")
	require.False(t, ok)
}
