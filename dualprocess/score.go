package dualprocess

import (
	"context"
	"fmt"
	"image"
	"slices"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/pixels"
)

// Score rates given pictures, all of one size: P(answer) per picture and question,
// in [0, 1]. What is transparent is laid over white. Every question is asked about
// every picture, whatever its Prompts.
//
// Errors wrap ErrTask for a wrong argument, with the field Context, Runtime,
// Verifier, Questions or Images, ErrPrompt for words that the verifier does not
// know, and ErrNotFinite for answers that are no numbers; or they are the
// verifier's.
func Score(ctx context.Context, rt *backends.Runtime, v Verifier, questions []Question, images ...image.Image) (p [][]float64, err error) {
	defer named(&err)
	questions = slices.Clone(questions)
	for k := range questions {
		questions[k].Prompts = nil
	}
	if err := firstError(
		checkContext(ctx), checkRuntime(rt), checkModel("Verifier", rt, v), checkQuestions("Questions", questions), checkImages(images),
	); err != nil {
		return nil, err
	}
	done, err := hold(rt)
	if err != nil {
		return nil, err
	}
	defer done()
	size := images[0].Bounds().Size()
	bytes := float64(len(images)) * pictureBytes(size.Y, size.X)
	if err := checkRoom("Images", rt, bytes, fmt.Sprintf("%d pictures at once", len(images))); err != nil {
		return nil, err
	}
	pictures := pixels.FromImages(images...)
	defer graphs.Release(pictures)
	r, err := newVerifierRater(ctx, rt, v, questions, size.Y, size.X)
	if err != nil {
		return nil, err
	}
	defer r.close()
	return r.rate(ctx, pictures, make([]string, len(images)))
}
