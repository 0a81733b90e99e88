package verifier

import (
	"context"
	"image"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
)

// LanguageModel is what the vision-language models can do: all verifiers of this
// library but the pocket one, which knows single words, and the remote one.
type LanguageModel interface {
	dualprocess.Verifier

	// Score returns P(answer) of a picture over which the question's overlay
	// already lies.
	dualprocess.Scorer

	// YesNo returns P("Yes") / (P("Yes") + P("No")) of a picture: how much rather
	// the model says Yes than No. The question's own answer does not matter.
	YesNo(ctx context.Context, img image.Image, q dualprocess.Question) (float64, error)

	// Generate lets the model answer in its own words: at each token the likeliest,
	// up to that many.
	Generate(ctx context.Context, img image.Image, question string, tokens int) (string, error)

	// Release frees what Score, YesNo and Generate have compiled.
	dualprocess.Releaser
}

var _ LanguageModel = (*vlm.Verifier)(nil)
