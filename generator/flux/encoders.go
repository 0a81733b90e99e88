package flux

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
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/pipeline"
	"github.com/dualprocess/dualprocess-go/internal/text"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// encoders turn prompts into what the transformer reads. Their weights can be let
// go and come back when they are needed again.
type encoders struct {
	rt      *backends.Runtime
	fsys    fs.FS
	config  Config
	root    string // of their variables
	t5Words *text.Prompter
	clipIDs *text.Prompter
	memory  pipeline.Memory
	exec    *model.Exec // nil when released
}

// newEncoders opens the tokenizers and loads the weights.
func newEncoders(rt *backends.Runtime, fsys fs.FS, cfg Config, root string, textTokens int) (*encoders, error) {
	e := &encoders{rt: rt, fsys: fsys, config: cfg, root: root}
	var err error
	if e.t5Words, err = text.OpenPrompter(fsys, "tokenizer_2", textTokens, cfg.T5.Vocabulary); err != nil {
		return nil, err
	}
	if e.clipIDs, err = text.OpenPrompter(fsys, "tokenizer", cfg.CLIP.Positions, cfg.CLIP.Vocabulary); err != nil {
		return nil, err
	}
	return e, e.load()
}

// load reads the weights.
func (e *encoders) load() error {
	var clip *text.CLIP
	var t5 *text.T5
	err := weights.LoadTo(e.rt.Backend, e.fsys, "text_encoder", e.rt.Store, e.root+"/text_encoder", text.CLIPSurplus, func(c weights.Cursor) {
		clip = text.NewCLIP(c, e.config.CLIP)
	})
	if err == nil {
		err = weights.LoadTo(e.rt.Backend, e.fsys, "text_encoder_2", e.rt.Store, e.root+"/text_encoder_2", text.T5Surplus, func(c weights.Cursor) {
			t5 = text.NewT5(c, e.config.T5)
		})
	}
	if err == nil {
		e.exec, err = model.NewExec(e.rt.Backend, e.rt.Store, func(_ *model.Scope, in []*Node) []*Node {
			words := t5.Apply(nn.Pass{}, in[0], e.rt.DType)
			pooled := text.Pool(clip.Apply(nn.Pass{}, in[1], e.rt.DType), in[2])
			return []*Node{ConvertDType(words, dtypes.Float32), ConvertDType(pooled, dtypes.Float32)}
		})
	}
	if err != nil {
		return errors.Join(err, e.free())
	}
	return nil
}

// encode returns the words' states [1, T, text] and the pooled text [1, pooled],
// float32, which belong to the caller.
func (e *encoders) encode(ctx context.Context, prompt string) (dualprocess.Inputs, error) {
	return e.memory.Get(ctx, prompt, func() ([]*tensors.Tensor, error) { return e.compute(prompt) })
}

func (e *encoders) compute(prompt string) ([]*tensors.Tensor, error) {
	words, err := e.t5Words.IDs(prompt)
	if err != nil {
		return nil, err
	}
	ids, err := e.clipIDs.IDs(prompt)
	if err != nil {
		return nil, err
	}
	if e.exec == nil {
		if err := e.load(); err != nil {
			return nil, err
		}
	}
	out, err := e.exec.Call(row(words), row(ids), int32(e.config.CLIP.Summary(ids)))
	if err != nil {
		return nil, fmt.Errorf("encode the prompt: %w", err)
	}
	return pipeline.ToHost(out)
}

// release lets go of the weights; what was encoded stays.
func (e *encoders) release() error { return e.memory.Do(e.free) }

func (e *encoders) free() error {
	if e.exec != nil {
		e.exec.Finalize()
		e.exec = nil
	}
	return errors.Join(
		e.rt.Store.DeleteVariablesInScope(e.root+"/text_encoder"),
		e.rt.Store.DeleteVariablesInScope(e.root+"/text_encoder_2"),
	)
}

func row(ids []int32) *tensors.Tensor { return tensors.FromFlatDataAndDimensions(ids, 1, len(ids)) }
