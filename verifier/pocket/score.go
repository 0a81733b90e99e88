package pocket

import (
	"context"
	"fmt"
	"image"
	"math"
	"strings"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/pixels"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
)

// Score returns P(answer) in [0, 1] for a picture over which the question's overlay
// already lies, as [dualprocess.Evaluate] has it. What is transparent is laid over
// white. It compiles once for each size of pictures; what is compiled is kept
// on the runtime. Its errors are those of Prepare.
func (v *Verifier) Score(ctx context.Context, img image.Image, q dualprocess.Question) (float64, error) {
	logP, err := v.ask(ctx, img, q)
	if err != nil {
		return 0, fmt.Errorf("%s: score: %w", name, err)
	}
	return math.Exp(logP[0]), nil
}

// YesNo returns P("Yes") / (P("Yes") + P("No")) for a picture, in [0, 1]: how much
// rather the model says Yes than No, whatever else it might say. The question's own
// answer does not matter. It compiles as Score does, and its errors are Score's.
func (v *Verifier) YesNo(ctx context.Context, img image.Image, q dualprocess.Question) (float64, error) {
	yes, no := q, q
	yes.Answer, no.Answer = "Yes", "No"
	logP, err := v.ask(ctx, img, yes, no)
	if err != nil {
		return 0, fmt.Errorf("%s: score: %w", name, err)
	}
	return vlm.Share(logP[0], logP[1]), nil
}

// ask returns the log-probability of each answer.
func (v *Verifier) ask(ctx context.Context, img image.Image, questions ...dualprocess.Question) ([]float64, error) {
	if err := vlm.CheckPicture(ctx, img); err != nil {
		return nil, err
	}
	size, inputs := img.Bounds().Size(), make([]dualprocess.Inputs, len(questions))
	for k, q := range questions {
		var err error
		if inputs[k], err = v.prepare(ctx, q, size.Y, size.X); err != nil {
			return nil, err
		}
	}
	return v.programs.LogProbs(ctx, v, img, "", inputs)
}

// Generate says in a word what the model answers to a question about a picture: the
// likeliest of all that it knows, whatever number of tokens is allowed, at least 1.
// The question is put as it is, without a suffix. It compiles once for each size of
// pictures, and its errors are Score's.
func (v *Verifier) Generate(ctx context.Context, img image.Image, question string, tokens int) (string, error) {
	word, err := v.likeliest(ctx, img, question, tokens)
	if err != nil {
		return "", fmt.Errorf("%s: generate: %w", name, err)
	}
	return word, nil
}

func (v *Verifier) likeliest(ctx context.Context, img image.Image, question string, tokens int) (string, error) {
	if err := vlm.CheckTokens(tokens); err != nil {
		return "", err
	}
	if err := vlm.CheckPicture(ctx, img); err != nil {
		return "", err
	}
	if err := v.checkSize(img.Bounds().Dy(), img.Bounds().Dx()); err != nil {
		return "", err
	}
	if strings.TrimSpace(question) == "" {
		return "", fmt.Errorf("%w: the question is empty", ErrQuestion)
	}
	ids, err := v.encode(question)
	if err != nil {
		return "", err
	}
	out, err := v.programs.Run(ctx, fmt.Sprint("answer about ", img.Bounds().Size()), func(in []*Node) []*Node {
		return []*Node{ArgMax(v.logits(in[0], in[1:]), -1, dtypes.Int32)}
	}, pixels.FromImages(img), ids)
	if err != nil {
		return "", err
	}
	defer graphs.Release(out...)
	return v.tokenizer.Decode([]int{int(tensors.MustCopyFlatData[int32](out[0])[0])}), nil
}

// Close frees the verifier's weights, on the device and on the host, and what was
// compiled for it. It waits for what uses them, such as a program that runs, and must
// not be called from there. Whatever is called later, and Distill and Evaluate at their
// next program, end with an error that wraps [backends.ErrClosed]; LogProbs panics with
// it. It may be called again, with the same result, and by several goroutines.
func (v *Verifier) Close() error { return v.model.Close() }
