package sanabase

import (
	"context"
	"io/fs"
	"strings"
	"unicode"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"golang.org/x/text/cases"
	"golang.org/x/text/language"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/pipeline"
	"github.com/dualprocess/dualprocess-go/internal/text"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// Instruction is put before prompts unless another is given: Gemma, which was trained
// to follow instructions, then reads more into short prompts ("complex human
// instruction", section 3.1 of Sana's paper). The words are those of diffusers'
// pipelines.
const Instruction = `Given a user prompt, generate an 'Enhanced prompt' that provides detailed visual descriptions suitable for image generation. Evaluate the level of detail in the user prompt:
- If the prompt is simple, focus on adding specifics about colors, shapes, sizes, textures, and spatial relationships to create vivid and concrete scenes.
- If the prompt is already detailed, refine and enhance the existing details slightly without overcomplicating.
Here are examples of how to transform or refine prompts:
- User Prompt: A cat sleeping -> Enhanced: A small, fluffy white cat curled up in a round shape, sleeping peacefully on a warm sunny windowsill, surrounded by pots of blooming red flowers.
- User Prompt: A busy city street -> Enhanced: A bustling city street scene at dusk, featuring glowing street lamps, a diverse crowd of people in colorful clothing, and a double-decker bus passing by towering glass skyscrapers.
Please generate only the enhanced description for the prompt below and avoid including any additional commentary or evaluations:
User Prompt: `

// Wording is what the encoder reads: a prompt, and the instruction before it, or "".
type Wording struct{ instruction, prompt string }

// NewWording is a prompt as the pipeline cleans it, with an instruction before it.
func NewWording(instruction, prompt string) Wording { return Wording{instruction, clean(prompt)} }

// clean is what the pipeline makes of a prompt: small letters, no space around.
func clean(prompt string) string {
	lower := cases.Lower(language.Und).String(prompt)
	return strings.TrimFunc(lower, func(r rune) bool {
		return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f // which are spaces in Python
	})
}

// openPrompters opens the tokenizer, for prompts of so many tokens and for prompts
// that have an instruction before them.
func openPrompters(fsys fs.FS, tokens, vocabulary int, instruction string) (plain, instructed *text.Prompter, err error) {
	if plain, err = text.OpenPrompter(fsys, "tokenizer", tokens, vocabulary, text.Padding); err != nil {
		return nil, nil, err
	}
	count, err := plain.Count(instruction)
	if err != nil {
		return nil, nil, err
	}
	// Less the token of the beginning, which is counted twice, and one more, which the
	// pipeline says is a space.
	return plain, plain.WithLength(max(plain.Length(), count+plain.Length()-2)), nil
}

// NewEncoder opens Gemma, of whose states the transformer gets those of the prompt's
// words, [1, tokens, width], and a mask [1, tokens], 1 for words and 0 for padding.
// negative is the Wording that guidance leads away from, or nil.
func NewEncoder(ctx context.Context, p *pipeline.Opening, c Config, tokens int, instruction string, negative *Wording) (*pipeline.Encoder[Wording], error) {
	plain, instructed, err := openPrompters(p.Files, tokens, c.Gemma.Vocabulary, instruction)
	if err != nil {
		return nil, err
	}
	var gemma *text.Gemma
	return pipeline.NewEncoder(ctx, p, pipeline.Encoding[Wording]{
		Weights: []pipeline.Weights{
			{Folder: "text_encoder", Surplus: text.GemmaSurplus, Read: func(at weights.Cursor) { gemma = text.NewGemma(at, c.Gemma) }},
		},
		Inputs: func(w Wording) ([]any, error) {
			prompter := plain
			if w.instruction != "" {
				prompter = instructed
			}
			ids, count, err := prompter.Padded(w.instruction + w.prompt)
			valid := make([]bool, len(ids))
			for i := range count {
				valid[i] = true
			}
			return []any{pipeline.Row(ids), pipeline.Row(valid)}, err
		},
		Graph: func(in []*Node) []*Node {
			states, mask := gemma.Apply(nn.Pass{}, in[0], in[1], p.Runtime.DType), ConvertDType(in[1], dtypes.Float32)
			return []*Node{withoutInstruction(states, plain.Length()), withoutInstruction(mask, plain.Length())}
		},
		Shapes: []shapes.Shape{
			shapes.Make(dtypes.Float32, 1, plain.Length(), c.Gemma.Hidden),
			shapes.Make(dtypes.Float32, 1, plain.Length()),
		},
		Negative: negative,
	})
}

// withoutInstruction brings x [1, S, ...] to so many tokens: the first, which gathers
// what no word wants, stays; of the instruction, and of what is left over, nothing
// does.
func withoutInstruction(x *Node, tokens int) *Node {
	extra := x.Shape().Dim(1) - tokens
	if extra == 0 {
		return x
	}
	begin := Slice(x, AxisRange(), AxisRange(0, 1))
	return Concatenate([]*Node{begin, Slice(x, AxisRange(), AxisRange(extra+1))}, 1)
}
