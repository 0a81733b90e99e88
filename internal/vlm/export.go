package vlm

import (
	"context"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/internal/vision"
)

// The functions below are for tests of the models.

// Prefix returns the ids of the tokens before a question: the prompt's beginning
// and a picture of that size.
func Prefix(v *Verifier, picture vision.Size) ([]int, error) {
	p, err := v.prefix(picture.Height, picture.Width)
	if err != nil {
		return nil, err
	}
	return p.ids, nil
}

// Suffix returns the ids of the tokens after a picture that Continue goes on from.
func Suffix(v *Verifier, question string) ([]int, error) { return v.encodeOpen(question) }

// Continue is Generate for a picture of floats, float32 [1, height, width, 3]: it
// returns the ids of that many tokens, and no token ends them.
func Continue(ctx context.Context, v *Verifier, picture *tensors.Tensor, question string, tokens int) ([]int, error) {
	return v.generate(ctx, picture, question, tokens, nil)
}

// Pieces returns what the verifier was made of.
func Pieces(v *Verifier) Setup { return v.setup }
