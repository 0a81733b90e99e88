package verifier

import (
	"context"
	"fmt"
	"image"
	"io"
	"io/fs"
	"os"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/arguments"
	"github.com/dualprocess/dualprocess-go/verifier/gemma3"
	"github.com/dualprocess/dualprocess-go/verifier/idefics2"
	"github.com/dualprocess/dualprocess-go/verifier/llava"
	"github.com/dualprocess/dualprocess-go/verifier/mistral3"
	"github.com/dualprocess/dualprocess-go/verifier/pixtral"
	"github.com/dualprocess/dualprocess-go/verifier/pocket"
	"github.com/dualprocess/dualprocess-go/verifier/qwen25vl"
	"github.com/dualprocess/dualprocess-go/verifier/qwen35"
	"github.com/dualprocess/dualprocess-go/verifier/qwen3vl"
	"github.com/dualprocess/dualprocess-go/verifier/smolvlm2"
)

// LanguageModel is what all verifiers can do that Open opens. Several goroutines may
// use one at once.
type LanguageModel interface {
	// Prepare and LogProbs are what Distill and Evaluate ask.
	dualprocess.Verifier

	// Score returns P(answer) in [0, 1] for a picture over which the question's
	// overlay already lies, as dualprocess.Evaluate has it.
	Score(ctx context.Context, img image.Image, q dualprocess.Question) (float64, error)

	// YesNo returns P("Yes") / (P("Yes") + P("No")) for a picture, in [0, 1]: how much
	// rather the model says Yes than No. The question's own answer does not matter.
	YesNo(ctx context.Context, img image.Image, q dualprocess.Question) (float64, error)

	// Generate lets the model answer in its own words: at each token the likeliest, up
	// to that many, at least 1. The question is put as it is, without a suffix.
	Generate(ctx context.Context, img image.Image, question string, tokens int) (string, error)

	// Close frees the weights and what was compiled, when nothing uses the model any more. What is
	// called later gives an error that wraps backends.ErrClosed.
	Close() error

	// Runtime is the one that the model was opened with.
	Runtime() *backends.Runtime
}

var (
	_ dualprocess.Scorer   = LanguageModel(nil)
	_ dualprocess.Runtimer = LanguageModel(nil)
	_ io.Closer            = LanguageModel(nil)
)

// model is one that Open can open, by what config.json says of it.
type model struct {
	architecture string
	tower        string // vision_config.model_type, "" for any: LLaVA and Pixtral share an architecture's name
	folder       func(ctx context.Context, rt *backends.Runtime, folder string, o Options) (LanguageModel, error)
	files        func(ctx context.Context, rt *backends.Runtime, files fs.FS, o Options) (LanguageModel, error)
}

func models() []model {
	return []model{
		{"Qwen2_5_VLForConditionalGeneration", "", with(qwen25vl.Open), with(qwen25vl.OpenFS)},
		{"Qwen3VLForConditionalGeneration", "", with(qwen3vl.Open), with(qwen3vl.OpenFS)},
		{"Qwen3_5ForConditionalGeneration", "", with(qwen35.Open), with(qwen35.OpenFS)},
		{"Idefics2ForConditionalGeneration", "", with(idefics2.Open), with(idefics2.OpenFS)},
		{"Gemma3ForConditionalGeneration", "", with(gemma3.Open), with(gemma3.OpenFS)},
		{"LlavaForConditionalGeneration", "pixtral", with(pixtral.Open), with(pixtral.OpenFS)},
		{"LlavaForConditionalGeneration", "clip_vision_model", with(llava.Open), with(llava.OpenFS)},
		{"Mistral3ForConditionalGeneration", "", with(mistral3.Open), with(mistral3.OpenFS)},
		{"SmolVLMForConditionalGeneration", "", with(smolvlm2.Open), with(smolvlm2.OpenFS)},
		{"Idefics3ForConditionalGeneration", "", with(smolvlm2.Open), with(smolvlm2.OpenFS)},
		{"PocketForQuestionAnswering", "", with(openPocket), with(pocket.OpenFS)},
	}
}

// with opens a model from a place by Open or OpenFS of its own package, with options of its
// own. On an error it returns nil, and not an interface that holds a nil pointer.
func with[V LanguageModel, P, O any](own func(context.Context, *backends.Runtime, P, O) (V, error)) func(context.Context, *backends.Runtime, P, Options) (LanguageModel, error) {
	return func(ctx context.Context, rt *backends.Runtime, place P, o Options) (LanguageModel, error) {
		converted, err := arguments.Convert[O](o)
		if err != nil {
			return nil, fmt.Errorf("verifier: open %v: %w: %w", place, ErrOptions, err)
		}
		v, err := own(ctx, rt, place, converted)
		if err != nil {
			return nil, err
		}
		return v, nil
	}
}

// openPocket opens a folder of the pocket verifier.
func openPocket(ctx context.Context, rt *backends.Runtime, folder string, o pocket.Options) (*pocket.Verifier, error) {
	return pocket.OpenFS(ctx, rt, os.DirFS(folder), o)
}
