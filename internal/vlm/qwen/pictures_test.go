package qwen

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
)

func TestTargetRefuses(t *testing.T) {
	c := Pictures{Patch: 14, Merge: 2, MinPixels: new(1), MaxPixels: new(1 << 20)}
	for _, size := range []vision.Size{{Height: 0, Width: 10}, {Height: 10, Width: -1}, {Height: 1, Width: 201}, {Height: 5000, Width: 24}} {
		_, err := c.Target(size)
		require.ErrorIs(t, err, vlm.ErrPictureSize, size)
	}
	got, err := c.Target(vision.Size{Height: 1, Width: 200})
	require.NoError(t, err)
	require.Equal(t, vision.Size{Height: 28, Width: 28}, got)
}

// TestLayout has two rows of three tokens.
func TestLayout(t *testing.T) {
	c := Pictures{Patch: 16, Merge: 2}
	l := c.Layout(vision.Size{Height: 64, Width: 96}, 7, 5)
	require.Equal(t, []int{7, 7, 7, 7, 7, 7}, l.Tokens)
	require.Equal(t, [][]int{{0, 0, 0, 0, 0, 0}, {0, 0, 0, 1, 1, 1}, {0, 1, 2, 0, 1, 2}}, l.Positions)
	require.Equal(t, []int{3, 5}, []int{l.Next, l.Activations})
	require.Equal(t, [][]float64{{2, 4}, {2, 5}, {3, 4}, {3, 5}}, Places(1, 2, 2))
}

// TestBetween: the corners stay, what is between them is even, and one is the first.
func TestBetween(t *testing.T) {
	require.Equal(t, [][]float32{{1, 0, 0}, {0.5, 0.5, 0}, {0, 1, 0}, {0, 0.5, 0.5}, {0, 0, 1}}, between(3, 5))
	require.Equal(t, [][]float32{{1, 0, 0}, {0, 0, 1}}, between(3, 2))
	require.Equal(t, [][]float32{{1, 0, 0}}, between(3, 1))
	require.Equal(t, [][]float32{{1}, {1}}, between(1, 2))
}
