package pocket

import (
	"context"
	"image"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
)

// TestFeatures: a picture's vector is the same alone and among others, of whatever sizes.
func TestFeatures(t *testing.T) {
	v := open(t)
	size := v.config.ImageSize
	images := []image.Image{drawn(size), image.NewGray(image.Rect(3, 3, 3+size, 3+size)), drawn(2 * size)}
	for range featureBatch {
		images = append(images, images[0])
	}
	all, err := v.Features(t.Context(), images...)
	require.NoError(t, err)
	require.Len(t, all, len(images))
	for k, img := range images[:4] {
		alone, err := v.Features(t.Context(), img)
		require.NoError(t, err)
		require.Len(t, alone[0], v.config.ReadoutWidth)
		require.InDeltaSlice(t, alone[0], all[k], 1e-5)
		var squares float64
		for _, x := range all[k] {
			squares += x * x
		}
		require.InDelta(t, 1, squares, 1e-12)
	}
	require.NotEqual(t, all[0], all[1])
	none, err := v.Features(t.Context())
	require.NoError(t, err)
	require.Empty(t, none)

	_, err = v.Features(t.Context(), images[0], image.NewGray(image.Rect(0, 0, size, size+1)))
	require.ErrorIs(t, err, ErrPictureSize)
	require.ErrorContains(t, err, "picture 1")
	_, err = v.Features(t.Context(), nil)
	require.ErrorIs(t, err, dualprocess.ErrTask)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = v.Features(ended, images[0])
	require.ErrorIs(t, err, context.Canceled)
}
