package sd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/pipeline"
	"github.com/dualprocess/dualprocess-go/internal/text"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// encoder turns prompts into what the U-Net reads. Its weights can be let go and
// come back when they are needed again.
type encoder struct {
	rt       *backends.Runtime
	fsys     fs.FS
	config   text.CLIPConfig
	root     string // of its variables
	prompter *text.Prompter
	exec     *model.Exec // nil when released
	memory   pipeline.Memory
}

// newEncoder opens the tokenizer and loads the weights.
func newEncoder(rt *backends.Runtime, fsys fs.FS, cfg text.CLIPConfig, root string) (*encoder, error) {
	e := &encoder{rt: rt, fsys: fsys, config: cfg, root: root}
	var err error
	if e.prompter, err = text.OpenPrompter(fsys, "tokenizer", cfg.Positions, cfg.Vocabulary); err != nil {
		return nil, err
	}
	return e, e.load()
}

// load reads the weights.
func (e *encoder) load() error {
	var clip *text.CLIP
	err := weights.LoadTo(e.rt.Backend, e.fsys, "text_encoder", e.rt.Store, e.root, text.CLIPSurplus, func(c weights.Cursor) {
		clip = text.NewCLIP(c, e.config)
	})
	if err == nil {
		e.exec, err = model.NewExec(e.rt.Backend, e.rt.Store, func(_ *model.Scope, in []*Node) []*Node {
			return []*Node{ConvertDType(clip.Apply(nn.Pass{}, in[0], e.rt.DType), dtypes.Float32)}
		})
	}
	if err != nil {
		return errors.Join(err, e.free())
	}
	return nil
}

// encode returns the states of the prompt's words, float32 [1, words, width],
// which belong to the caller.
func (e *encoder) encode(ctx context.Context, prompt string) (*tensors.Tensor, error) {
	states, err := e.memory.Get(ctx, prompt, func() ([]*tensors.Tensor, error) { return e.compute(prompt) })
	if err != nil {
		return nil, err
	}
	return states[0], nil
}

func (e *encoder) compute(prompt string) ([]*tensors.Tensor, error) {
	ids, err := e.prompter.IDs(prompt)
	if err != nil {
		return nil, err
	}
	if e.exec == nil {
		if err := e.load(); err != nil {
			return nil, err
		}
	}
	out, err := e.exec.Call(tensors.FromFlatDataAndDimensions(ids, 1, len(ids)))
	if err != nil {
		return nil, fmt.Errorf("encode the prompt: %w", err)
	}
	return pipeline.ToHost(out)
}

// release lets go of the weights; what was encoded stays.
func (e *encoder) release() error {
	return e.memory.Do(e.free)
}

func (e *encoder) free() error {
	if e.exec != nil {
		e.exec.Finalize()
		e.exec = nil
	}
	return e.rt.Store.DeleteVariablesInScope(e.root)
}
