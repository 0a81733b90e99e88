package sd

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

// newEncoder opens CLIP, all of whose states the U-Net gets, [1, tokens, width].
func newEncoder(ctx context.Context, p *pipeline.Opening, c text.CLIPConfig, o Options) (*pipeline.Encoder[string], error) {
	prompter, err := text.OpenPrompter(p.Files, "tokenizer", c.Positions, c.Vocabulary, text.CLIPPadding)
	if err != nil {
		return nil, err
	}
	var clip *text.CLIP
	return pipeline.NewEncoder(ctx, p, pipeline.Encoding[string]{
		Weights: []pipeline.Weights{
			{Folder: "text_encoder", Surplus: text.CLIPSurplus, Read: func(at weights.Cursor) { clip = text.NewCLIP(at, c) }},
		},
		Inputs: func(prompt string) ([]any, error) {
			ids, err := prompter.IDs(prompt)
			return []any{pipeline.Row(ids)}, err
		},
		Graph:    func(in []*Node) []*Node { return []*Node{clip.Apply(nn.Pass{}, in[0], p.Runtime.DType)} },
		Shapes:   []shapes.Shape{shapes.Make(dtypes.Float32, 1, prompter.Length(), c.Width)},
		Negative: pipeline.Negative(*o.Guidance, o.NegativePrompt),
	})
}
