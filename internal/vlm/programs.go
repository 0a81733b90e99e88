package vlm

import (
	"context"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/internal/graphs"
)

// mostPrograms are kept compiled: sizes of pictures and lengths of questions vary,
// and each needs its own.
const mostPrograms = 8

// programs are the executables of the host methods, the last used at the end.
type programs []keyed

type keyed struct {
	key     string // of everything that is compiled in
	program *graphs.Program
}

// run executes a graph function, compiling it if its key is new. The caller holds
// v.mu.
func (v *Verifier) run(ctx context.Context, key string, build func(in []*Node) []*Node, inputs ...any) ([]*tensors.Tensor, error) {
	at := slices.IndexFunc(v.programs, func(p keyed) bool { return p.key == key })
	var p keyed
	if at >= 0 {
		p = v.programs[at]
		v.programs = slices.Delete(v.programs, at, at+1)
	} else {
		p = keyed{key, graphs.New(v.runtime, key, build)}
	}
	for len(v.programs) >= mostPrograms {
		v.programs[0].program.Close()
		v.programs = slices.Delete(v.programs, 0, 1)
	}
	v.programs = append(v.programs, p)
	return p.program.Run(ctx, inputs...)
}

// Release frees what Score, YesNo and Generate compiled; they compile it again
// when they are called again.
func (v *Verifier) Release() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, p := range v.programs {
		p.program.Close()
	}
	v.programs = nil
	return nil
}
