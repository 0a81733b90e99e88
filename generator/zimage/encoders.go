package zimage

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

// newEncoder opens Qwen3, of which the transformer gets the states before the last
// layer, [1, tokens, width], and a mask [1, tokens], 1 for the prompt and 0 for padding,
// whose states nothing reads.
func newEncoder(ctx context.Context, p *pipeline.Opening, c config, o Options) (*pipeline.Encoder[string], error) {
	prompter, err := text.OpenPrompter(p.Files, "tokenizer", o.TextTokens, c.Qwen.Vocabulary, text.QwenPadding)
	if err != nil {
		return nil, err
	}
	var qwen *text.Qwen3
	layer := c.Qwen.Layers - 1
	return pipeline.NewEncoder(ctx, p, pipeline.Encoding[string]{
		Weights: []pipeline.Weights{{Folder: "text_encoder", Surplus: text.Qwen3Surplus(layer), Read: func(at weights.Cursor) {
			qwen = text.NewQwen3(at, c.Qwen, layer)
		}}},
		Inputs: func(prompt string) ([]any, error) {
			ids, words, err := prompter.Padded(text.QwenChat(prompt, true))
			valid := make([]bool, len(ids))
			for i := range words {
				valid[i] = true
			}
			return []any{pipeline.Row(ids), pipeline.Row(valid)}, err
		},
		Graph: func(in []*Node) []*Node {
			return []*Node{qwen.Apply(nn.Pass{}, in[0], in[1], p.Runtime.DType), in[1]}
		},
		Shapes: []shapes.Shape{
			shapes.Make(dtypes.Float32, 1, prompter.Length(), c.Qwen.Hidden),
			shapes.Make(dtypes.Float32, 1, prompter.Length()),
		},
		Negative: pipeline.Negative(1+*o.Guidance, o.NegativePrompt),
	})
}
