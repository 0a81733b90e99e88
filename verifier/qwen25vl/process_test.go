package qwen25vl

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm/qwen"
)

func TestPaperTarget(t *testing.T) {
	c := qwen.Pictures{Patch: 14, Merge: 2}
	for side, want := range map[int]int{512: 504, 150: 140, 84: 84, 1024: 1036, 640: 644, 9: 28, 41: 28, 42: 56} {
		got, err := paperTarget(c, vision.Size{Height: side, Width: 28})
		require.NoError(t, err)
		require.Equal(t, vision.Size{Height: want, Width: 28}, got, side)
	}
	for _, side := range []int{0, 1 << 20} {
		_, err := paperTarget(c, vision.Size{Height: side, Width: 28})
		require.ErrorIs(t, err, ErrPictureSize)
	}
}
