package flux

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

// newEncoder opens T5, all of whose states the transformer gets, [1, tokens, width],
// and CLIP, which gives one for the whole text, [1, width].
func newEncoder(ctx context.Context, p *pipeline.Opening, c config, tokens int) (*pipeline.Encoder[string], error) {
	t5IDs, err := text.OpenPrompter(p.Files, "tokenizer_2", tokens, c.T5.Vocabulary, text.Padding)
	if err != nil {
		return nil, err
	}
	clipIDs, err := text.OpenPrompter(p.Files, "tokenizer", c.CLIP.Positions, c.CLIP.Vocabulary, text.CLIPPadding)
	if err != nil {
		return nil, err
	}
	var t5 *text.T5
	var clip *text.CLIP
	return pipeline.NewEncoder(ctx, p, pipeline.Encoding[string]{
		Weights: []pipeline.Weights{
			{Folder: "text_encoder", Surplus: text.CLIPSurplus, Read: func(at weights.Cursor) { clip = text.NewCLIP(at, c.CLIP) }},
			{Folder: "text_encoder_2", Surplus: text.T5Surplus, Read: func(at weights.Cursor) { t5 = text.NewT5(at, c.T5) }},
		},
		Inputs: func(prompt string) ([]any, error) {
			words, err := t5IDs.IDs(prompt)
			if err != nil {
				return nil, err
			}
			ids, err := clipIDs.IDs(prompt)
			return []any{pipeline.Row(words), pipeline.Row(ids), int32(c.CLIP.Summary(ids))}, err
		},
		Graph: func(in []*Node) []*Node {
			words := t5.Apply(nn.Pass{}, in[0], p.Runtime.DType)
			return []*Node{words, text.Pool(clip.Apply(nn.Pass{}, in[1], p.Runtime.DType), in[2])}
		},
		Shapes: []shapes.Shape{
			shapes.Make(dtypes.Float32, 1, t5IDs.Length(), c.T5.Width),
			shapes.Make(dtypes.Float32, 1, c.CLIP.Width),
		},
	})
}
