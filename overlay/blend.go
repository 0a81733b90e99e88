package overlay

import (
	"fmt"
	"image"
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Solid lays a picture over images so that its ink hides them. Pixels that are
// exactly white after resizing to the image, and transparent ones, show the
// image. Resizing mixes ink with white: such edges are not exactly white, so they
// hide the image, too. Draw pictures at the image's size for the sharpest edges.
type Solid struct {
	// Picture is laid over images of any size; it is resized without regard to its
	// proportions. It must not change once it is in use.
	Picture image.Image

	// Multiple is a number of pixels to whose multiples the picture's sides are
	// first rounded down, by a Lanczos resize, as the reference's pipelines do: 8
	// for most, 16 for FLUX. 0 is 8; 1 leaves the picture as it is.
	Multiple int

	// Paper follows the paper's reference where it is not followed otherwise. Alpha
	// is dropped, so that a transparent background shows the colour that is stored
	// there, often black; and where the arithmetic of the resize made white a hair
	// darker, the pixel counts as ink, a white speck.
	Paper bool
}

// Transparent lays a picture over images so that both are seen everywhere; white
// paper brightens the image. The fields are those of Solid.
type Transparent struct {
	Picture  image.Image // see Solid
	Opacity  float64     // of the picture, in (0, 1]; 0 is 0.5, the reference's
	Multiple int         // see Solid
	Paper    bool        // see Solid; only alpha matters here
}

// Layer is an overlay that can also be seen: it lays itself over a picture on
// the host. Solid and Transparent are layers.
type Layer interface {
	// Over returns the picture under the overlay, opaque, without changing it.
	Over(picture image.Image) (*image.NRGBA, error)
}

// Apply is a graph method: it lays the picture over image, [batch, height, width,
// 3], nominally in [0, 1], and returns the same shape and dtype. Nothing is
// clamped. The gradient is that of image where no ink is, and zero under ink. It
// panics if the picture is missing or has no pixels, or for an image of another
// shape.
func (s Solid) Apply(image *Node) *Node { return lay(s, image) }

// Over returns what Apply makes of a picture, clamped, to within 1/255. Alpha of
// the picture is ignored: generated images have none.
func (s Solid) Over(picture image.Image) (*image.NRGBA, error) { return over(s, picture) }

// Apply is a graph method: it mixes the picture into image, [batch, height,
// width, 3], nominally in [0, 1], and returns the same shape and dtype. Nothing
// is clamped. It panics if the picture is missing or has no pixels, if Opacity is
// out of range, or for an image of another shape.
func (t Transparent) Apply(image *Node) *Node { return lay(t, image) }

// Over returns what Apply makes of a picture, clamped, to within 1/255. Alpha of
// the picture is ignored: generated images have none.
func (t Transparent) Over(picture image.Image) (*image.NRGBA, error) { return over(t, picture) }

// Blend lays overlays over a picture, the first one lowest, as a verifier would
// see it.
func Blend(picture image.Image, overlays ...Layer) (image.Image, error) {
	for _, o := range overlays {
		out, err := o.Over(picture)
		if err != nil {
			return nil, err
		}
		picture = out
	}
	return picture, nil
}

// filmer makes the film for images of one size.
type filmer interface {
	film(height, width int) (film, error)
}

func (s Solid) film(height, width int) (film, error) {
	p, err := prepare(s.Picture, s.Multiple, s.Paper)
	if err != nil {
		return film{}, err
	}
	return p.develop(height, width, func(colour []float32, alpha float32) float32 {
		// Premultiplied, white is as large as its alpha. Both went through the same
		// arithmetic, so rounding cannot part them.
		if s.Paper {
			alpha = 1
		}
		if colour[0] >= alpha && colour[1] >= alpha && colour[2] >= alpha {
			return 0
		}
		return 1
	}), nil
}

func (t Transparent) film(height, width int) (film, error) {
	opacity := orNumber(t.Opacity, 0.5)
	if !(opacity > 0 && opacity <= 1) {
		return film{}, fmt.Errorf("overlay: Opacity is %v; it must lie in (0, 1], or be 0 for 0.5", t.Opacity)
	}
	p, err := prepare(t.Picture, t.Multiple, t.Paper)
	if err != nil {
		return film{}, err
	}
	return p.develop(height, width, func([]float32, float32) float32 { return float32(opacity) }), nil
}

func lay(o filmer, image *Node) *Node {
	if image.Rank() != 4 || image.Shape().Dimensions[3] != 3 {
		exceptions.Panicf("overlay: an image must be [batch, height, width, 3], this one is %s", image.Shape())
	}
	height, width := image.Shape().Dimensions[1], image.Shape().Dimensions[2]
	f, err := o.film(height, width)
	if err != nil {
		panic(err)
	}
	constant := func(values []float32, channels int) *Node {
		t := tensors.FromFlatDataAndDimensions(values, 1, height, width, channels)
		return ConvertDType(ConstTensor(image.Graph(), t), image.DType())
	}
	return Add(Mul(image, constant(f.keep, 1)), constant(f.ink, 3))
}

func over(o filmer, picture image.Image) (*image.NRGBA, error) {
	p, err := prepare(picture, 1, true)
	if err != nil {
		return nil, err
	}
	f, err := o.film(p.height, p.width)
	if err != nil {
		return nil, err
	}
	out := image.NewNRGBA(image.Rect(0, 0, f.width, f.height))
	for i, keep := range f.keep {
		pixel := out.Pix[4*i : 4*i+4]
		for k := range 3 {
			v := (p.values[4*i+k]+1)/2*keep + f.ink[3*i+k]
			pixel[k] = uint8(math.Round(255 * float64(max(0, min(v, 1)))))
		}
		pixel[3] = 255
	}
	return out, nil
}
