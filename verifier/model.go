package verifier

import (
	"context"
	"fmt"
	"image"
	"os"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/verifier/gemma3"
	"github.com/dualprocess/dualprocess-go/verifier/idefics2"
	"github.com/dualprocess/dualprocess-go/verifier/llava"
	"github.com/dualprocess/dualprocess-go/verifier/pixtral"
	"github.com/dualprocess/dualprocess-go/verifier/pocket"
	"github.com/dualprocess/dualprocess-go/verifier/qwen25vl"
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

	// Release frees what Score, YesNo and Generate have compiled.
	Release() error
}

var (
	_ dualprocess.Scorer   = LanguageModel(nil)
	_ dualprocess.Releaser = LanguageModel(nil)
)

// model is one that Open can open, by what config.json says of it.
type model struct {
	architecture string
	tower        string   // vision_config.model_type, "" for any: LLaVA and Pixtral share an architecture's name
	lacks        []string // fields of Options
	open         func(ctx context.Context, rt *backends.Runtime, folder string, o Options) (LanguageModel, error)
}

func models() []model {
	return []model{
		{"Qwen2_5_VLForConditionalGeneration", "", []string{"Split"}, openQwen25VL},
		{"Idefics2ForConditionalGeneration", "", nil, openIdefics2},
		{"Gemma3ForConditionalGeneration", "", []string{"Split"}, openGemma3},
		{"LlavaForConditionalGeneration", "pixtral", []string{"Split"}, openPixtral},
		{"LlavaForConditionalGeneration", "clip_vision_model", []string{"Split"}, openLLaVA},
		{"PocketForQuestionAnswering", "", []string{"Paper", "Split", "Checkpoint"}, openPocket},
	}
}

// check names an option that is set and that the model does not have.
func (m model) check(o Options) error {
	set := map[string]bool{"Paper": o.Paper, "Split": o.Split, "Checkpoint": o.Checkpoint != backends.CheckpointAuto}
	for _, field := range m.lacks {
		if set[field] {
			return fmt.Errorf("%w: %s: %s has no such option", ErrOptions, field, m.architecture)
		}
	}
	return nil
}

func openQwen25VL(ctx context.Context, rt *backends.Runtime, folder string, o Options) (LanguageModel, error) {
	return opened(qwen25vl.Open(ctx, rt, folder, qwen25vl.Options{Paper: o.Paper, Checkpoint: o.Checkpoint}))
}

func openIdefics2(ctx context.Context, rt *backends.Runtime, folder string, o Options) (LanguageModel, error) {
	return opened(idefics2.Open(ctx, rt, folder, idefics2.Options(o)))
}

func openGemma3(ctx context.Context, rt *backends.Runtime, folder string, o Options) (LanguageModel, error) {
	return opened(gemma3.Open(ctx, rt, folder, gemma3.Options{Paper: o.Paper, Checkpoint: o.Checkpoint}))
}

func openPixtral(ctx context.Context, rt *backends.Runtime, folder string, o Options) (LanguageModel, error) {
	return opened(pixtral.Open(ctx, rt, folder, pixtral.Options{Paper: o.Paper, Checkpoint: o.Checkpoint}))
}

func openLLaVA(ctx context.Context, rt *backends.Runtime, folder string, o Options) (LanguageModel, error) {
	return opened(llava.Open(ctx, rt, folder, llava.Options{Paper: o.Paper, Checkpoint: o.Checkpoint}))
}

func openPocket(ctx context.Context, rt *backends.Runtime, folder string, _ Options) (LanguageModel, error) {
	return opened(pocket.OpenFS(ctx, rt, os.DirFS(folder), pocket.Options{}))
}

// opened keeps a nil pointer from becoming an interface that is not nil.
func opened[V LanguageModel](v V, err error) (LanguageModel, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}
