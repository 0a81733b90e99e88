// Package pixels turns pictures into the numbers of a graph, and back.
package pixels

import (
	"fmt"
	"image"
	"image/draw"
	"math"

	"github.com/gomlx/gomlx/core/tensors"
)

// FromImages returns pictures as a graph wants them, float32 [len(images), height,
// width, 3] in [0, 1]. What is transparent is laid over white. There must be at
// least one, and all must have the size of the first.
func FromImages(images ...image.Image) *tensors.Tensor {
	size := images[0].Bounds().Size()
	values := make([]float32, 0, len(images)*size.X*size.Y*3)
	for _, img := range images {
		for _, v := range RGB(img) {
			values = append(values, float32(v)/255)
		}
	}
	return tensors.FromFlatDataAndDimensions(values, len(images), size.Y, size.X, 3)
}

// RGB returns a picture's values, [height, width, 3]. What is transparent is laid
// over white.
func RGB(img image.Image) []uint8 {
	opaque := image.NewNRGBA(image.Rectangle{Max: img.Bounds().Size()})
	draw.Draw(opaque, opaque.Bounds(), image.White, image.Point{}, draw.Src)
	draw.Draw(opaque, opaque.Bounds(), img, img.Bounds().Min, draw.Over)
	values := make([]uint8, 0, len(opaque.Pix)/4*3)
	for p := 0; p < len(opaque.Pix); p += 4 {
		values = append(values, opaque.Pix[p:p+3]...)
	}
	return values
}

// ToImage makes a picture of its values, [height, width, 3], clamped to [0, 1] and
// rounded to 8 bits. A value that is not finite is an error that names the pixel.
func ToImage(values []float32, height, width int) (*image.NRGBA, error) {
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for k := range height * width {
		for c := range 3 {
			x := float64(values[3*k+c])
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return nil, fmt.Errorf("pixel (%d, %d) of a picture is %g", k%width, k/width, x)
			}
			img.Pix[4*k+c] = uint8(math.Round(255 * min(max(x, 0), 1)))
		}
		img.Pix[4*k+3] = 255
	}
	return img, nil
}
