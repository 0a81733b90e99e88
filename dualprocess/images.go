package dualprocess

import (
	"fmt"
	"image"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/internal/pixels"
)

// eachImage copies the first pictures of a batch, [batch, height, width, 3], to the
// host, clamped to [0, 1] and rounded to 8 bits. For one with a pixel that is not
// finite, do is given an error that wraps ErrNotFinite.
func eachImage(pictures *tensors.Tensor, used int, do func(k int, img *image.NRGBA, err error)) error {
	flat, err := tensors.CopyFlatData[float32](pictures)
	if err != nil {
		return fmt.Errorf("read the pictures: %w", err)
	}
	dims := pictures.Shape().Dimensions
	height, width := dims[1], dims[2]
	size := height * width * 3
	for k := range used {
		img, err := pixels.ToImage(flat[k*size:(k+1)*size], height, width)
		if err != nil {
			err = fmt.Errorf("%w: %w", ErrNotFinite, err)
		}
		do(k, img, err)
	}
	return nil
}

// toImages copies the first pictures of a batch to the host, or returns the error of
// the first that has one.
func toImages(pictures *tensors.Tensor, used int) ([]*image.NRGBA, error) {
	images := make([]*image.NRGBA, used)
	var first error
	err := eachImage(pictures, used, func(k int, img *image.NRGBA, err error) {
		images[k], first = img, firstError(first, err)
	})
	if err := firstError(err, first); err != nil {
		return nil, err
	}
	return images, nil
}
