package overlay

import (
	"cmp"
	"image"
	"reflect"
)

// Picture is what is laid over images: an [image.Image] of any kind, or a [Drawer].
type Picture interface {
	// Bounds is the size of an image; that of a Drawer is empty.
	Bounds() image.Rectangle
}

// Drawer is a Picture without a size of its own: it is drawn anew, and sharp, at
// the size of the images that it is laid over. All makers of this package are
// Drawers.
type Drawer interface {
	Picture
	// Draw returns the picture, width x height pixels. Sizes that are not positive
	// or have more than MaxPixels pixels are errors that wrap ErrEmpty or
	// ErrTooLarge.
	Draw(width, height int) (*image.NRGBA, error)
}

// sheet is a picture with what Solid and Transparent have in common.
type sheet struct {
	picture  Picture
	fit      Fit
	multiple int // 0 is the default
	paper    bool
}

// defaultMultiple is that of most pipelines of the reference.
const defaultMultiple = 8

// at returns the picture's pixels for images of one size, [height, width, 4].
func (s sheet) at(height, width int) (pixels, error) {
	if height < 1 || width < 1 {
		return pixels{}, checkSize(width, height)
	}
	picture, multiple, err := s.drawn(height, width)
	if err != nil {
		return pixels{}, err
	}
	if err := checkPicture(picture); err != nil {
		return pixels{}, err
	}
	region, inner, err := s.fit.place(picture.Bounds(), image.Pt(width, height))
	if err != nil {
		return pixels{}, err
	}
	p := prepare(premultiplied(picture, region, s.paper), multiple)
	return bilinear(p, inner.Y, inner.X).centred(height, width), nil
}

// drawn returns the picture as an image, and the multiple for its sides: what is
// drawn for an image has its size already, so nothing is rounded unless asked for.
func (s sheet) drawn(height, width int) (picture image.Image, multiple int, err error) {
	switch p := s.picture.(type) {
	case maker:
		picture, err = render(p, width, height)
	case Drawer:
		picture, err = p.Draw(width, height)
	case image.Image:
		return p, orNumber(s.multiple, defaultMultiple), nil
	}
	return picture, orNumber(s.multiple, 1), err
}

// prepare does what diffusers' VaeImageProcessor does before the reference
// resizes the picture to the image: Lanczos to sides that are multiples of a
// number of pixels.
func prepare(picture *image.RGBA, multiple int) *image.RGBA {
	size := picture.Rect.Size()
	return lanczos(picture, roundDown(size.X, multiple), roundDown(size.Y, multiple))
}

// roundDown returns the largest multiple that is not above n, or n where there
// is none.
func roundDown(n, multiple int) int {
	if n < multiple {
		return n
	}
	return n - n%multiple
}

// checkPicture returns an error for an image that is not there, has no pixels or
// too many.
func checkPicture(picture image.Image) error {
	if isNil(picture) {
		return invalid("Picture", "no picture is given")
	}
	size := picture.Bounds().Size()
	return checkSize(size.X, size.Y)
}

// isNil tells whether an interface holds nothing, or a pointer to nothing.
func isNil(x any) bool {
	v := reflect.ValueOf(x)
	return !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil()
}

// maker is one of this package's Drawers.
type maker interface {
	validate() error
	paint(c canvas)
}

// render does the work of every maker's Draw. Its errors do not name the package.
func render(m maker, width, height int) (*image.NRGBA, error) {
	if err := cmp.Or(m.validate(), checkSize(width, height)); err != nil {
		return nil, err
	}
	c := newCanvas(width, height)
	m.paint(c)
	return c.picture(), nil
}
