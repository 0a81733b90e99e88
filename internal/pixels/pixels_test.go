package pixels

import (
	"image"
	"image/color"
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"
)

func TestFromImages(t *testing.T) {
	img := image.NewNRGBA(image.Rect(5, 5, 7, 6)) // not at the origin
	img.SetNRGBA(5, 5, color.NRGBA{255, 51, 0, 255})
	img.SetNRGBA(6, 5, color.NRGBA{0, 0, 0, 0}) // transparent: white
	grey := image.NewGray(image.Rect(0, 0, 2, 1))
	got := FromImages(img, grey)
	require.Equal(t, []int{2, 1, 2, 3}, got.Shape().Dimensions)
	require.Equal(t, []float32{1, .2, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0}, tensors.MustCopyFlatData[float32](got))
}

func TestToImage(t *testing.T) {
	img, err := ToImage([]float32{-1, .5, 2, .2, 0, 1}, 1, 2)
	require.NoError(t, err)
	require.Equal(t, color.NRGBA{0, 128, 255, 255}, img.At(0, 0))
	again, err := ToImage(tensors.MustCopyFlatData[float32](FromImages(img)), 1, 2)
	require.NoError(t, err)
	require.Equal(t, img, again, "there and back")

	for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		_, err := ToImage([]float32{0, 0, 0, 0, float32(x), 0}, 2, 1)
		require.ErrorContains(t, err, "pixel (0, 1)")
	}
}
