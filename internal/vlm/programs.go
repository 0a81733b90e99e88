package vlm

import (
	"context"
	"fmt"
	"image"
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/pixels"
)

// Programs run what a verifier's host methods compute. What is compiled is kept on the
// runtime and goes with the model. Several goroutines may use them at once.
type Programs struct {
	runtime *backends.Runtime
	model   *backends.Model
}

// NewPrograms returns those of a model.
func NewPrograms(rt *backends.Runtime, m *backends.Model) *Programs {
	m.OnClose(func() { graphs.Forget(rt, m) })
	return &Programs{runtime: rt, model: m}
}

// Run executes a graph function, compiling it if its key is new for inputs of these
// shapes. It wraps backends.ErrClosed if the model is closed.
func (p *Programs) Run(ctx context.Context, key string, build func(in []*Node) []*Node, inputs ...any) ([]*tensors.Tensor, error) {
	done, err := p.model.Use()
	if err != nil {
		return nil, err
	}
	defer done()
	return graphs.New(p.runtime, graphs.Key{Name: key, Models: [2]any{p.model}}, build).Run(ctx, inputs...)
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
