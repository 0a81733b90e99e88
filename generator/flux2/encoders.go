package flux2

import (
	"context"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/pipeline"
	"github.com/dualprocess/dualprocess-go/internal/text"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// textLayers are the layers of Qwen3 whose states the transformer reads, in all models
// alike: what follows the last of them is dead weight, and is not loaded.
var textLayers = []int{9, 18, 27}

// newEncoder opens Qwen3, whose states the transformer gets, [1, tokens, 3·width],
// those of padding included: it has no mask, and was trained so.
func newEncoder(ctx context.Context, p *pipeline.Opening, c config, o Options) (*pipeline.Encoder[string], error) {
	prompter, err := text.OpenPrompter(p.Files, "tokenizer", o.TextTokens, c.Qwen.Vocabulary, text.QwenPadding)
	if err != nil {
		return nil, err
	}
	var qwen *text.Qwen3
	return pipeline.NewEncoder(ctx, p, pipeline.Encoding[string]{
		Weights: []pipeline.Weights{{Folder: "text_encoder", Surplus: text.Qwen3Surplus(textLayers...), Read: func(at weights.Cursor) {
			qwen = text.NewQwen3(at, c.Qwen, textLayers...)
		}}},
		Inputs: func(prompt string) ([]any, error) {
			ids, words, err := prompter.Padded(text.QwenChat(prompt, false))
			valid := make([]bool, len(ids))
			for i := range words {
				valid[i] = true
			}
			return []any{pipeline.Row(ids), pipeline.Row(valid)}, err
		},
		Graph: func(in []*Node) []*Node {
			return []*Node{qwen.Apply(nn.Pass{}, in[0], in[1], p.Runtime.DType)}
		},
		Shapes:   []shapes.Shape{shapes.Make(dtypes.Float32, 1, prompter.Length(), len(textLayers)*c.Qwen.Hidden)},
		Negative: pipeline.Negative(o.guidance(), o.NegativePrompt),
	})
}
