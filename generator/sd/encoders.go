package sd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/text"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// maxCached bounds the prompts whose encodings are kept, 230 kB each in the real
// models.
const maxCached = 256

// encoder turns prompts into what the U-Net reads. Its weights can be let go and
// come back when they are needed again.
type encoder struct {
	rt       *backends.Runtime
	fsys     fs.FS
	config   text.CLIPConfig
	root     string // of its variables
	prompter *text.Prompter
	mu       sync.Mutex
	exec     *model.Exec // nil when released
	prepared map[string]*tensors.Tensor
}

// newEncoder opens the tokenizer and loads the weights.
func newEncoder(rt *backends.Runtime, fsys fs.FS, cfg text.CLIPConfig, root string) (*encoder, error) {
	e := &encoder{rt: rt, fsys: fsys, config: cfg, root: root, prepared: map[string]*tensors.Tensor{}}
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
			return []*Node{ConvertDType(clip.Apply(nil, in[0], e.rt.DType), dtypes.Float32)}
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
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	known, ok := e.prepared[prompt]
	if !ok {
		var err error
		if known, err = e.compute(prompt); err != nil {
			return nil, err
		}
		if len(e.prepared) >= maxCached {
			clear(e.prepared)
		}
		e.prepared[prompt] = known
	}
	return known.LocalClone()
}

func (e *encoder) compute(prompt string) (*tensors.Tensor, error) {
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
	local, err := out[0].LocalClone()
	if err != nil {
		return nil, err
	}
	return local, out[0].FinalizeAll()
}

// release lets go of the weights; what was encoded stays.
func (e *encoder) release() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.free()
}

func (e *encoder) free() error {
	if e.exec != nil {
		e.exec.Finalize()
		e.exec = nil
	}
	return e.rt.Store.DeleteVariablesInScope(e.root)
}
