package sana

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"golang.org/x/text/cases"
	"golang.org/x/text/language"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/pipeline"
	"github.com/dualprocess/dualprocess-go/internal/text"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// DefaultInstruction is put before prompts unless another is given: Gemma, which
// was trained to follow instructions, then reads more into short prompts ("complex
// human instruction", section 3.1 of Sana's paper). The words are those of
// diffusers' pipeline.
const DefaultInstruction = `Given a user prompt, generate an 'Enhanced prompt' that provides detailed visual descriptions suitable for image generation. Evaluate the level of detail in the user prompt:
- If the prompt is simple, focus on adding specifics about colors, shapes, sizes, textures, and spatial relationships to create vivid and concrete scenes.
- If the prompt is already detailed, refine and enhance the existing details slightly without overcomplicating.
Here are examples of how to transform or refine prompts:
- User Prompt: A cat sleeping -> Enhanced: A small, fluffy white cat curled up in a round shape, sleeping peacefully on a warm sunny windowsill, surrounded by pots of blooming red flowers.
- User Prompt: A busy city street -> Enhanced: A bustling city street scene at dusk, featuring glowing street lamps, a diverse crowd of people in colorful clothing, and a double-decker bus passing by towering glass skyscrapers.
Please generate only the enhanced description for the prompt below and avoid including any additional commentary or evaluations:
User Prompt: `

// encoder turns prompts into what the transformer reads. Its weights can be let go
// and come back when they are needed again.
type encoder struct {
	rt          *backends.Runtime
	fsys        fs.FS
	config      decoder.Config
	root        string // of its variables
	instruction string // "" = none
	plain       *text.Prompter
	instructed  *text.Prompter // with room for the instruction; nil without
	memory      pipeline.Memory
	exec        *model.Exec // nil when released
}

// newEncoder opens the tokenizer and loads the weights. Prompts get so many tokens.
func newEncoder(rt *backends.Runtime, fsys fs.FS, cfg decoder.Config, root string, tokens int, instruction string) (*encoder, error) {
	e := &encoder{rt: rt, fsys: fsys, config: cfg, root: root, instruction: instruction}
	var err error
	if e.plain, err = text.OpenPrompter(fsys, "tokenizer", tokens, cfg.Vocabulary); err != nil {
		return nil, err
	}
	if instruction != "" {
		count, err := e.plain.Count(instruction)
		if err != nil {
			return nil, err
		}
		// Less the token of the beginning, which is counted twice, and one more, which
		// the pipeline says is a space.
		e.instructed = e.plain.WithLength(max(e.plain.Length(), count+e.plain.Length()-2))
	}
	return e, e.load()
}

// load reads the weights.
func (e *encoder) load() error {
	var gemma *text.Gemma
	err := weights.LoadTo(e.rt.Backend, e.fsys, "text_encoder", e.rt.Store, e.root, text.GemmaSurplus, func(c weights.Cursor) {
		gemma = text.NewGemma(c, e.config)
	})
	if err == nil {
		e.exec, err = model.NewExec(e.rt.Backend, e.rt.Store, func(_ *model.Scope, in []*Node) []*Node {
			states := ConvertDType(gemma.Apply(nn.Pass{}, in[0], in[1], e.rt.DType), dtypes.Float32)
			if extra := states.Shape().Dim(1) - e.plain.Length(); extra > 0 {
				// The first token, which gathers what no word wants, stays; of the
				// instruction, and of what is left over, nothing does.
				begin := Slice(states, AxisRange(), AxisRange(0, 1))
				states = Concatenate([]*Node{begin, Slice(states, AxisRange(), AxisRange(extra+1))}, 1)
			}
			return []*Node{states}
		})
	}
	if err != nil {
		return errors.Join(err, e.free())
	}
	return nil
}

// encode returns the states of the prompt's words, float32 [1, tokens, width], and
// their mask [1, tokens], 1 for words and 0 for padding, which belong to the caller.
func (e *encoder) encode(ctx context.Context, prompt string, instructed bool) (dualprocess.Inputs, error) {
	prompter, prefix := e.plain, ""
	if instructed && e.instructed != nil {
		prompter, prefix = e.instructed, e.instruction
	}
	words := prefix + clean(prompt)
	return e.memory.Get(ctx, fmt.Sprint(prompter.Length(), words), func() ([]*tensors.Tensor, error) { return e.compute(prompter, words) })
}

// clean is what the pipeline makes of a prompt: small letters, no space around.
func clean(prompt string) string {
	lower := cases.Lower(language.Und).String(prompt)
	return strings.TrimFunc(lower, func(r rune) bool {
		return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f // which are spaces in Python
	})
}

func (e *encoder) compute(prompter *text.Prompter, words string) ([]*tensors.Tensor, error) {
	ids, count, err := prompter.Padded(words)
	if err != nil {
		return nil, err
	}
	if e.exec == nil {
		if err := e.load(); err != nil {
			return nil, err
		}
	}
	valid, mask, extra := make([]bool, len(ids)), make([]float32, e.plain.Length()), len(ids)-e.plain.Length()
	for i := range ids {
		valid[i] = i < count
		if at := i - extra; valid[i] && (at > 0 || i == 0) {
			mask[max(at, 0)] = 1
		}
	}
	out, err := e.exec.Call(tensors.FromFlatDataAndDimensions(ids, 1, len(ids)), tensors.FromFlatDataAndDimensions(valid, 1, len(valid)))
	if err != nil {
		return nil, fmt.Errorf("encode the prompt: %w", err)
	}
	states, err := pipeline.ToHost(out)
	return append(states, tensors.FromFlatDataAndDimensions(mask, 1, len(mask))), err
}

// release lets go of the weights; what was encoded stays.
func (e *encoder) release() error { return e.memory.Do(e.free) }

func (e *encoder) free() error {
	if e.exec != nil {
		e.exec.Finalize()
		e.exec = nil
	}
	return e.rt.Store.DeleteVariablesInScope(e.root)
}
