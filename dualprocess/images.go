package dualprocess

import (
	"fmt"
	"image"
	"image/draw"
	"math"

	"github.com/gomlx/gomlx/core/tensors"
)

// toImages copies the first pictures of a batch, [batch, height, width, 3], to
// the host, clamped to [0, 1] and rounded to 8 bits. A pixel that is not finite is
// an error that wraps ErrNotFinite.
func toImages(pictures *tensors.Tensor, used int) ([]*image.NRGBA, error) {
	flat, err := tensors.CopyFlatData[float32](pictures)
	if err != nil {
		return nil, fmt.Errorf("dualprocess: read the pictures: %w", err)
	}
	dims := pictures.Shape().Dimensions
	height, width := dims[1], dims[2]
	images := make([]*image.NRGBA, used)
	for k := range images {
		pixels := flat[k*height*width*3 : (k+1)*height*width*3]
		if images[k], err = toImage(pixels, height, width); err != nil {
			return nil, err
		}
	}
	return images, nil
}

// toImage makes one picture of its values, row by row, RGB.
func toImage(pixels []float32, height, width int) (*image.NRGBA, error) {
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for k := range height * width {
		for c := range 3 {
			x := float64(pixels[3*k+c])
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return nil, fmt.Errorf("%w: pixel (%d, %d) of a picture is %g", ErrNotFinite, k%width, k/width, x)
			}
			img.Pix[4*k+c] = uint8(math.Round(255 * min(max(x, 0), 1)))
		}
		img.Pix[4*k+3] = 255
	}
	return img, nil
}

// fromImages makes a batch of pictures, float32 [len(images), height, width, 3] in
// [0, 1]. All must have the same size; what is transparent is laid over white.
func fromImages(images []image.Image) (*tensors.Tensor, error) {
	size := images[0].Bounds().Size()
	var flat []float32
	for k, img := range images {
		if img.Bounds().Size() != size {
			return nil, fmt.Errorf("%w: Images[%d]: is %v and not %v as the first", ErrTask, k, img.Bounds().Size(), size)
		}
		opaque := image.NewNRGBA(image.Rectangle{Max: size})
		draw.Draw(opaque, opaque.Bounds(), image.White, image.Point{}, draw.Src)
		draw.Draw(opaque, opaque.Bounds(), img, img.Bounds().Min, draw.Over)
		for p := 0; p < len(opaque.Pix); p += 4 {
			for c := range 3 {
				flat = append(flat, float32(opaque.Pix[p+c])/255)
			}
		}
	}
	return tensors.FromFlatDataAndDimensions(flat, len(images), size.Y, size.X, 3), nil
}
