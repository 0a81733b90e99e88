package overlay

import (
	"cmp"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
)

// ErrOptions is wrapped by errors about a field of an overlay or of a maker, which
// they name: one that is missing or out of range, or a picture that has not the
// proportions of the image.
var ErrOptions = errors.New("invalid settings")

// Validate returns an error that wraps ErrOptions, ErrEmpty or ErrTooLarge and
// names the field unless the overlay can be laid over images. It draws nothing.
func (s Solid) Validate() error { return named(s.validate()) }

// Validate returns an error that wraps ErrOptions, ErrEmpty or ErrTooLarge and
// names the field unless the overlay can be laid over images. It draws nothing.
func (t Transparent) Validate() error { return named(t.validate()) }

// Validate returns the error of the first overlay that is missing or not valid by
// a method Validate of its own.
func (s Stack) Validate() error { return named(s.validate()) }

func (s Solid) validate() error { return s.sheet().validate() }

func (t Transparent) validate() error {
	return cmp.Or(t.sheet().validate(), inRange("Opacity", t.Opacity, 0, 1))
}

func (s Stack) validate() error {
	for i, l := range s {
		if err := validate(l); err != nil {
			return fmt.Errorf("%s: %w", level(i), err)
		}
	}
	return nil
}

func (s sheet) validate() error {
	err := cmp.Or(validatePicture(s.picture), s.fit.validate())
	if err == nil && s.multiple < 0 {
		err = invalid("Multiple", "%d is negative", s.multiple)
	}
	return err
}

func validatePicture(picture Picture) error {
	if isNil(picture) {
		return invalid("Picture", "no picture is given")
	}
	if _, ok := picture.(Drawer); ok {
		if err := validate(picture); err != nil {
			return fmt.Errorf("Picture: %w", err)
		}
		return nil
	}
	img, ok := picture.(image.Image)
	if !ok {
		return invalid("Picture", "%T is neither an image nor a Drawer", picture)
	}
	return checkPicture(img)
}

// validate returns what an overlay or a picture says about itself.
func validate(x any) error {
	if isNil(x) {
		return fmt.Errorf("%w: it is nil", ErrOptions)
	}
	switch x := x.(type) {
	case interface{ validate() error }: // ours, without the package's name
		return x.validate()
	case interface{ Validate() error }:
		return x.Validate()
	}
	return nil
}

// named names the package in an error.
func named(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("overlay: %w", err)
}

// invalid returns an error about a field.
func invalid(field, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrOptions, field, fmt.Sprintf(format, args...))
}

// inRange returns an error unless low <= x <= high; NaN is in no range.
func inRange(field string, x, low, high float64) error {
	if x >= low && x <= high {
		return nil
	}
	return invalid(field, "%v is not in [%g, %g]", x, low, high)
}

// finite returns an error for a place that is NaN or infinite.
func finite(field string, p Point) error {
	for _, x := range []float64{p.X, p.Y} {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return invalid(field, "%v is not a place", p)
		}
	}
	return nil
}

// lengthInRange is for lengths in 64ths of the shorter side.
func lengthInRange(field string, x float64) error { return inRange(field, x, 0, 64) }

// usable returns an error for a colour that is a nil pointer. None at all is a
// default.
func usable(field string, ink color.Color) error {
	if ink != nil && isNil(ink) {
		return invalid(field, "%T is nil", ink)
	}
	return nil
}
