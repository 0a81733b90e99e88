package questions

import (
	"context"
	"image"
	"image/color"

	"github.com/dualprocess/dualprocess-go/internal/arguments"
)

// Generator answers in its own words: a verifier of this library.
type Generator interface {
	Generate(ctx context.Context, img image.Image, question string, tokens int) (string, error)
}

// Local lets a vision-language model write. It always looks at a picture: at one of
// no content, of which the text does not speak.
type Local struct {
	Model   Generator
	Picture image.Image // nil = a white square of 448 pixels, a size that all models of this library take
}

var _ Chat = Local{}

// Chat puts both texts into one turn, the system prompt first. Errors are the model's.
func (l Local) Chat(ctx context.Context, system, text string, tokens int) (string, error) {
	if err := arguments.Given("Model", l.Model); err != nil {
		return "", err
	}
	picture := l.Picture
	if picture == nil {
		picture = blank{}
	}
	return l.Model.Generate(ctx, picture, system+"\n\n"+text, tokens)
}

// blank is a white square.
type blank struct{}

func (blank) ColorModel() color.Model { return color.NRGBAModel }
func (blank) Bounds() image.Rectangle { return image.Rect(0, 0, 448, 448) }
func (blank) At(int, int) color.Color { return color.NRGBA{255, 255, 255, 255} }
