package dualprocess

import (
	"fmt"
	"image"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/internal/pixels"
)

// toImages copies the first pictures of a batch, [batch, height, width, 3], to
// the host, clamped to [0, 1] and rounded to 8 bits. A pixel that is not finite is
// an error that wraps ErrNotFinite.
func toImages(pictures *tensors.Tensor, used int) ([]*image.NRGBA, error) {
	flat, err := tensors.CopyFlatData[float32](pictures)
	if err != nil {
		return nil, fmt.Errorf("read the pictures: %w", err)
	}
	dims := pictures.Shape().Dimensions
	height, width := dims[1], dims[2]
	images := make([]*image.NRGBA, used)
	for k := range images {
		size := height * width * 3
		if images[k], err = pixels.ToImage(flat[k*size:(k+1)*size], height, width); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNotFinite, err)
		}
	}
	return images, nil
}

// appendImages copies the first pictures of a batch to the host.
func appendImages(images []image.Image, pictures *tensors.Tensor, used int) ([]image.Image, error) {
	made, err := toImages(pictures, used)
	for _, img := range made {
		images = append(images, img)
	}
	return images, err
}
