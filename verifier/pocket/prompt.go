package pocket

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/arguments"
	"github.com/dualprocess/dualprocess-go/internal/quote"
)

// Prepare returns what LogProbs has to know of a question about pictures of that
// height and width in pixels: the ids of its words, int32 [1, words], with the
// answer's place after them, and the id of the answer, int32 [1].
//
// Pictures must be square, and their side a multiple of the model's. The error wraps
// one of the package's; one about a word that the model does not know names it.
func (v *Verifier) Prepare(ctx context.Context, q dualprocess.Question, height, width int) (dualprocess.Inputs, error) {
	in, err := v.prepare(ctx, q, height, width)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return in, nil
}

func (v *Verifier) prepare(ctx context.Context, q dualprocess.Question, height, width int) (dualprocess.Inputs, error) {
	done, err := v.model.Use()
	if err != nil {
		return nil, err
	}
	defer done()
	if err := arguments.Context(ctx); err != nil {
		return nil, err
	}
	if err := v.checkSize(height, width); err != nil {
		return nil, err
	}
	if strings.TrimSpace(q.Text) == "" {
		return nil, fmt.Errorf("%w: Text is empty", ErrQuestion)
	}
	ids, err := v.encode(q.Prompt())
	if err != nil {
		return nil, err
	}
	answer, err := v.words(q.Answer)
	if err != nil {
		return nil, fmt.Errorf("answer %s: %w: %w", quote.Short(q.Answer), dualprocess.ErrPrompt, err)
	}
	if len(answer) != 1 {
		return nil, fmt.Errorf("%w: %w: %s has %d", dualprocess.ErrPrompt, ErrAnswer, quote.Short(q.Answer), len(answer))
	}
	return dualprocess.Inputs{ids, tensors.FromFlatDataAndDimensions([]int32{int32(answer[0])}, 1)}, nil
}

func (v *Verifier) checkSize(height, width int) error {
	if side := v.config.ImageSize; height != width || height < side || height%side != 0 {
		return fmt.Errorf("%w: %dx%d, want a square with a multiple of %d pixels", ErrPictureSize, width, height, side)
	}
	return nil
}

// encode returns the ids of a question's words, int32 [1, words], padded on the left:
// the answer's place is the last.
func (v *Verifier) encode(question string) (*tensors.Tensor, error) {
	ids, err := v.words(question)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", dualprocess.ErrPrompt, err)
	}
	if len(ids)+1 > v.config.MaxWords {
		return nil, fmt.Errorf("%w: %w: %d words, the model reads %d", dualprocess.ErrPrompt, ErrQuestionTooLong, len(ids), v.config.MaxWords-1)
	}
	padded := make([]int32, v.config.MaxWords)
	for i, id := range append(ids, v.answerID) {
		padded[len(padded)-len(ids)-1+i] = int32(id)
	}
	return tensors.FromFlatDataAndDimensions(padded, 1, len(padded)), nil
}

// words returns the ids of a text's words, or an error that says where to find the
// words that are known.
func (v *Verifier) words(text string) ([]int, error) {
	ids, err := v.tokenizer.Encode(text)
	if errors.Is(err, ErrUnknownWord) {
		err = fmt.Errorf("%w; pocket.Questions and pocket.Vocabulary list what is known", err)
	}
	return ids, err
}
