package vlm

import (
	"context"
	"errors"
	"fmt"
	"image"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/arguments"
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

// CheckPicture returns the error of a context that is nil or has ended, or of a
// picture that is none.
func CheckPicture(ctx context.Context, img image.Image) error {
	if err := arguments.Context(ctx); err != nil {
		return err
	}
	if err := arguments.Given("Image", img); err != nil {
		return err
	}
	if size := img.Bounds().Size(); img.Bounds().Empty() {
		return fmt.Errorf("%w: %s", ErrPictureSize, vision.Size{Height: size.Y, Width: size.X})
	}
	return nil
}
