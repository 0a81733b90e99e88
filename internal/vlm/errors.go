package vlm

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"reflect"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/vision"
)

// The errors that packages of models export under the same names.
var (
	// ErrOptions says that a field of the options is out of range, does not go with
	// another, or is one that the model does not have.
	ErrOptions = errors.New("invalid options")
	// ErrPictureSize says that the model cannot look at pictures of a size: empty, too
	// small, too large or too elongated.
	ErrPictureSize = errors.New("unsupported picture size")
	// ErrQuestion says that a question or an answer cannot be put to the model:
	// it is empty, or not UTF-8.
	ErrQuestion = fmt.Errorf("%w: unusable question or answer", dualprocess.ErrPrompt)
)

// LongestSide is the longest side of a picture, in pixels, that is believed to be
// meant, where a model's own rule has no bound.
const LongestSide = 1 << 14

// missing is the error about an argument that was not given.
func missing(argument, want string) error {
	return fmt.Errorf("%w: %s: must be %s", dualprocess.ErrTask, argument, want)
}

// CheckContext returns the error of a context that is nil or has ended.
func CheckContext(ctx context.Context) error {
	if ctx == nil {
		return missing("Context", "given")
	}
	return ctx.Err()
}

// CheckOpen returns the error of what no model can be opened with.
func CheckOpen(ctx context.Context, rt *backends.Runtime, fsys fs.FS) error {
	if err := CheckContext(ctx); err != nil {
		return err
	}
	if rt == nil || rt.Backend == nil || rt.Store == nil {
		return missing("Runtime", "an open runtime")
	}
	if isNil(fsys) {
		return missing("FS", "given")
	}
	return nil
}

// CheckPicture returns the error of a context that is nil or has ended, or of a
// picture that is none.
func CheckPicture(ctx context.Context, img image.Image) error {
	if err := CheckContext(ctx); err != nil {
		return err
	}
	if isNil(img) {
		return missing("Image", "given")
	}
	if size := img.Bounds().Size(); img.Bounds().Empty() {
		return fmt.Errorf("%w: %s", ErrPictureSize, vision.Size{Height: size.Y, Width: size.X})
	}
	return nil
}

// isNil also finds the nil pointer in an interface.
func isNil(x any) bool {
	v := reflect.ValueOf(x)
	return !v.IsValid() || (v.Kind() == reflect.Pointer || v.Kind() == reflect.Map) && v.IsNil()
}
