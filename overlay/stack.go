package overlay

import (
	"fmt"
	"image"

	"github.com/gomlx/gomlx/core/graph"
)

// Stack is several overlays laid one after the other, the first one lowest. It is
// a Layer itself; one of no overlays leaves images as they are.
type Stack []Layer

// Apply is a graph method: it applies all overlays to image, [batch, height,
// width, 3], and panics as they do.
func (s Stack) Apply(image *graph.Node) *graph.Node {
	if err := s.Validate(); err != nil {
		panic(err)
	}
	for _, l := range s {
		image = l.Apply(image)
	}
	return image
}

// Over returns what Apply makes of a picture, clamped, to within 1/255 for each of
// the overlays. Alpha of the picture is ignored: generated images have none.
func (s Stack) Over(picture image.Image) (*image.NRGBA, error) { return prefixed(s.over(picture)) }

// over is Over whose errors do not name the package.
func (s Stack) over(picture image.Image) (*image.NRGBA, error) {
	out, err := opaque(picture)
	if err != nil {
		return nil, err
	}
	for i, l := range s {
		err := validate(l)
		if err == nil {
			switch l := l.(type) {
			case filmer:
				out, err = over(l, out)
			case Stack:
				out, err = l.over(out)
			default:
				out, err = l.Over(out)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", level(i), err)
		}
	}
	return out, nil
}

// level names an overlay of a stack, in errors.
func level(i int) string { return fmt.Sprintf("Stack[%d]", i) }
