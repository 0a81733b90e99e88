package overlay

import (
	"fmt"
	"image"
	"math"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Solid lays a picture over images so that its ink hides them. Pixels that are
// exactly white after resizing to the image, and transparent ones, show the
// image. Resizing mixes ink with white: such edges are not exactly white, so they
// hide the image, too. A Drawer is not resized and has the sharpest edges.
type Solid struct {
	// Picture is laid over images of any size. It must not change once it is in
	// use.
	Picture Picture

	// Fit says what becomes of a picture whose proportions are not the image's.
	Fit Fit

	// Multiple is a number of pixels to whose multiples the picture's sides are
	// first rounded down, by a Lanczos resize, as the reference's pipelines do: 8
	// for most, 16 for FLUX. 1 leaves the picture as it is. 0 is 8 for an image, and
	// 1 for a Drawer, which has the right size already.
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
	Picture  Picture // see Solid
	Opacity  float64 // of the picture, in (0, 1]; 0 is 0.5, the reference's
	Fit      Fit     // see Solid
	Multiple int     // see Solid
	Paper    bool    // see Solid; only alpha matters here
}

// Layer is an overlay that can be laid over pictures on the host, too, and so be
// looked at. Solid, Transparent and Stack are layers.
type Layer interface {
	// Apply is a graph method that lays the overlay over image, [batch, height,
	// width, 3], nominally in [0, 1], and returns the same shape and dtype.
	Apply(image *graph.Node) *graph.Node
	// Over returns the picture under the overlay, opaque, without changing it.
	Over(picture image.Image) (*image.NRGBA, error)
}

// Apply is a graph method: it lays the picture over image, [batch, height, width,
// 3], nominally in [0, 1], and returns the same shape and dtype. Nothing is
// clamped. The gradient is that of image where no ink is, and zero under ink. It
// panics if the overlay is not valid, does not fit, or for an image of another
// shape.
func (s Solid) Apply(image *graph.Node) *graph.Node { return lay(s, image) }

// Over returns what Apply makes of a picture, clamped, to within 1/255. Alpha of
// the picture is ignored: generated images have none.
func (s Solid) Over(picture image.Image) (*image.NRGBA, error) { return prefixed(over(s, picture)) }

// Apply is a graph method: it mixes the picture into image, [batch, height,
// width, 3], nominally in [0, 1], and returns the same shape and dtype. Nothing
// is clamped. It panics if the overlay is not valid, does not fit, or for an image
// of another shape.
func (t Transparent) Apply(image *graph.Node) *graph.Node { return lay(t, image) }

// Over returns what Apply makes of a picture, clamped, to within 1/255. Alpha of
// the picture is ignored: generated images have none.
func (t Transparent) Over(picture image.Image) (*image.NRGBA, error) {
	return prefixed(over(t, picture))
}

// Blend lays overlays over a picture, the first one lowest, as a verifier would
// see it. The picture itself is returned where there are none.
func Blend(picture image.Image, overlays ...Layer) (image.Image, error) {
	if err := checkPicture(picture); err != nil {
		return nil, fmt.Errorf("overlay: %w", err)
	}
	if len(overlays) == 0 {
		return picture, nil
	}
	return Stack(overlays).Over(picture)
}

// prefixed names the package in an error.
func prefixed(picture *image.NRGBA, err error) (*image.NRGBA, error) {
	if err != nil {
		return nil, fmt.Errorf("overlay: %w", err)
	}
	return picture, nil
}

// filmer makes the film for images of one size. Its errors do not name the
// package.
type filmer interface {
	film(height, width int) (film, error)
}

func (s Solid) film(height, width int) (film, error) {
	if err := s.validate(); err != nil {
		return film{}, err
	}
	p, err := s.sheet().at(height, width)
	if err != nil {
		return film{}, err
	}
	return p.develop(func(colour []float32, alpha float32) float32 {
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
	if err := t.validate(); err != nil {
		return film{}, err
	}
	p, err := t.sheet().at(height, width)
	if err != nil {
		return film{}, err
	}
	opacity := float32(orNumber(t.Opacity, 0.5))
	return p.develop(func([]float32, float32) float32 { return opacity }), nil
}

func (s Solid) sheet() sheet       { return sheet{s.Picture, s.Fit, s.Multiple, s.Paper} }
func (t Transparent) sheet() sheet { return sheet{t.Picture, t.Fit, t.Multiple, t.Paper} }

func lay(o filmer, image *graph.Node) *graph.Node {
	checkImage(image)
	film, err := prepareFilm(o, image.Shape().Dimensions[1], image.Shape().Dimensions[2])
	if err != nil {
		panic(err)
	}
	constants := make([]*graph.Node, len(film))
	for k, t := range film {
		constants[k] = graph.ConstTensor(image.Graph(), t)
	}
	return layFilm(image, constants)
}

// checkImage panics unless a node is of pictures.
func checkImage(image *graph.Node) {
	if image.Rank() != 4 || image.Shape().Dimensions[3] != 3 {
		exceptions.Panicf("overlay: an image must be [batch, height, width, 3], this one is %s", image.Shape())
	}
}

// over lays an overlay over a picture. Its errors do not name the package.
func over(o filmer, picture image.Image) (*image.NRGBA, error) {
	out, err := opaque(picture)
	if err != nil {
		return nil, err
	}
	f, err := o.film(out.Rect.Dy(), out.Rect.Dx())
	if err != nil {
		return nil, err
	}
	for i, keep := range f.keep {
		pixel := out.Pix[4*i : 4*i+3]
		for k, v := range pixel {
			mixed := float32(v)/255*keep + f.ink[3*i+k]
			pixel[k] = uint8(math.Round(255 * float64(max(0, min(mixed, 1)))))
		}
	}
	return out, nil
}

// opaque copies a picture, whose alpha is dropped.
func opaque(picture image.Image) (*image.NRGBA, error) {
	if err := checkPicture(picture); err != nil {
		return nil, err
	}
	flat := premultiplied(picture, picture.Bounds(), true)
	return &image.NRGBA{Pix: flat.Pix, Stride: flat.Stride, Rect: flat.Rect}, nil
}
