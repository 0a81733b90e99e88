package vlm

import (
	"context"
	"fmt"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// mostPrograms are kept compiled: sizes of pictures and lengths of questions vary,
// and each needs its own.
const mostPrograms = 8

// programs are the executables of the host methods, the last used at the end.
type programs []program

type program struct {
	key  string // of everything that is compiled in
	exec *model.Exec
}

// run executes a graph function, compiling it if its key is new. Panics of graph
// building become errors. The caller holds v.mu.
func (v *Verifier) run(ctx context.Context, key string, build func(in []*Node) []*Node, inputs ...any) (out []*tensors.Tensor, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case error:
			err = r
		default:
			err = fmt.Errorf("%v", r)
		}
	}()
	at := slices.IndexFunc(v.programs, func(p program) bool { return p.key == key })
	var p program
	if at >= 0 {
		p = v.programs[at]
		v.programs = slices.Delete(v.programs, at, at+1)
	} else {
		p.key = key
		p.exec, err = model.NewExec(v.runtime.Backend, v.runtime.Store, func(_ *model.Scope, in []*Node) []*Node { return build(in) })
		if err != nil {
			return nil, err
		}
		p.exec.WithName(v.setup.Name + " " + key)
	}
	for len(v.programs) >= mostPrograms {
		v.programs[0].exec.Finalize()
		v.programs = slices.Delete(v.programs, 0, 1)
	}
	v.programs = append(v.programs, p)
	return p.exec.Call(inputs...)
}

// Release frees what Score, YesNo and Generate compiled; they compile it again
// when they are called again.
func (v *Verifier) Release() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, p := range v.programs {
		p.exec.Finalize()
	}
	v.programs = nil
	return nil
}
