package qwen25vl

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/vision"
)

func TestPaperTarget(t *testing.T) {
	c := processorConfig{Patch: 14, Merge: 2}
	for side, want := range map[int]int{512: 504, 150: 140, 84: 84, 1024: 1036, 640: 644, 9: 28, 41: 28, 42: 56} {
		got, err := c.paperTarget(vision.Size{Height: side, Width: 28})
		require.NoError(t, err)
		require.Equal(t, vision.Size{Height: want, Width: 28}, got, side)
	}
	for _, side := range []int{0, 1 << 20} {
		_, err := c.paperTarget(vision.Size{Height: side, Width: 28})
		require.ErrorIs(t, err, ErrPictureSize)
	}
}

func TestTargetRefuses(t *testing.T) {
	c := processorConfig{Patch: 14, Merge: 2, MinPixels: new(1), MaxPixels: new(1 << 20)}
	for _, size := range []vision.Size{{Height: 0, Width: 10}, {Height: 10, Width: -1}, {Height: 1, Width: 201}, {Height: 5000, Width: 24}} {
		_, err := c.target(size)
		require.ErrorIs(t, err, ErrPictureSize, size)
	}
	got, err := c.target(vision.Size{Height: 1, Width: 200})
	require.NoError(t, err)
	require.Equal(t, vision.Size{Height: 28, Width: 28}, got)
}
