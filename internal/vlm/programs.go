package vlm

import (
	"context"
	"fmt"
	"image"
	"math"
	"slices"
	"sync"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/pixels"
)

// mostPrograms are kept compiled: sizes of pictures and lengths of questions vary,
// and each needs its own.
const mostPrograms = 8

// Programs are what a verifier's host methods have compiled. They go with the model.
// Several goroutines may use them at once.
type Programs struct {
	runtime *backends.Runtime
	model   *backends.Model

	mu   sync.Mutex
	list []keyed // the last used at the end
}

type keyed struct {
	key     string // of everything that is compiled in
	program *graphs.Program
}

// NewPrograms returns none yet, of a model.
func NewPrograms(rt *backends.Runtime, m *backends.Model) *Programs {
	p := &Programs{runtime: rt, model: m}
	m.OnClose(p.Release)
	return p
}

// Run executes a graph function, compiling it if its key is new. It wraps
// backends.ErrClosed if the model is closed.
func (p *Programs) Run(ctx context.Context, key string, build func(in []*Node) []*Node, inputs ...any) ([]*tensors.Tensor, error) {
	done, err := p.model.Use()
	if err != nil {
		return nil, err
	}
	defer done()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.program(key, build).Run(ctx, inputs...)
}

// program returns the key's program, which becomes the last used.
func (p *Programs) program(key string, build func(in []*Node) []*Node) *graphs.Program {
	if at := slices.IndexFunc(p.list, func(x keyed) bool { return x.key == key }); at >= 0 {
		found := p.list[at]
		p.list = append(slices.Delete(p.list, at, at+1), found)
		return found.program
	}
	for len(p.list) >= mostPrograms {
		p.list[0].program.Close()
		p.list = slices.Delete(p.list, 0, 1)
	}
	p.list = append(p.list, keyed{key, graphs.NewOwn(p.runtime, graphs.Key{Name: key}, build)})
	return p.list[len(p.list)-1].program
}

// Release frees all programs; they are compiled again when they are needed.
func (p *Programs) Release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, x := range p.list {
		x.program.Close()
	}
	p.list = nil
}

// LogProbs returns what v.LogProbs says of prepared questions about one picture.
// The key names their shapes.
func (p *Programs) LogProbs(ctx context.Context, v dualprocess.Verifier, img image.Image, key string, questions []dualprocess.Inputs) ([]float64, error) {
	inputs := []any{pixels.FromImages(img)}
	for _, q := range questions {
		inputs = append(inputs, []*tensors.Tensor(q))
	}
	key = fmt.Sprintf("%d questions%s about %v", len(questions), key, img.Bounds().Size())
	out, err := p.Run(ctx, key, func(in []*Node) []*Node {
		image, in := in[0], in[1:]
		nodes := make([][]*Node, len(questions))
		for k, q := range questions {
			nodes[k], in = in[:len(q)], in[len(q):]
		}
		return []*Node{Concatenate(v.LogProbs(image, nodes), 0)}
	}, inputs...)
	if err != nil {
		return nil, err
	}
	defer graphs.Release(out...)
	logP := make([]float64, len(questions))
	for k, x := range tensors.MustCopyFlatData[float32](out[0]) {
		logP[k] = float64(x)
		if math.IsNaN(logP[k]) {
			return nil, fmt.Errorf("the model's answer is not a number: %w", dualprocess.ErrNotFinite)
		}
	}
	return logP, nil
}
