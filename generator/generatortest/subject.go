package generatortest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/lora"
)

// subject is the generator under test with all that the properties share: what it
// takes to compile is most of the time.
type subject struct {
	rt      *backends.Runtime
	g       dualprocess.Generator
	prompts []string
	cond    []dualprocess.Inputs // of all prompts but the last, which is for later
	adapter *lora.Adapter        // on the preset's targets, B not zero

	predict *model.Exec // latents, i, weight, conditions, adapter: prediction, clean, next
	decode  *model.Exec
	sampler *dualprocess.Sampler
}

func newSubject(t *testing.T, rt *backends.Runtime, g dualprocess.Generator, prompts []string) *subject {
	s := &subject{rt: rt, g: g, prompts: prompts}
	for _, prompt := range prompts[:len(prompts)-1] {
		cond, err := g.Encode(t.Context(), prompt)
		require.NoError(t, err, "Encode %q", prompt)
		s.cond = append(s.cond, cond)
	}
	s.adapter = s.newAdapter(t)
	var err error
	s.predict, err = graphs.NewExecutor(rt, func(in []*Node) []*Node {
		latents, i, delta, cond := s.take(in)
		prediction := g.Predict(delta, latents, i, cond)
		return []*Node{prediction, g.Clean(latents, prediction, i), g.Step(latents, prediction, i)}
	})
	require.NoError(t, err)
	s.decode, err = graphs.NewExecutor(rt, func(in []*Node) []*Node {
		return []*Node{g.Decode(in[0])}
	})
	require.NoError(t, err)
	s.sampler, err = dualprocess.NewSampler(rt, g, dualprocess.SamplerOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { s.predict.Finalize(); s.decode.Finalize(); s.sampler.Close() })
	return s
}

// newAdapter makes an adapter of rank 2 on the layers that the generator suggests,
// else on all. B is as random as A, or the gradients of A would be zero.
func (s *subject) newAdapter(t *testing.T) *lora.Adapter {
	layers := s.layers(t)
	require.NotEmpty(t, layers, "Predict passes no layer through its delta: nothing can be adapted")
	var targets []string
	if p, ok := s.g.(dualprocess.Presetter); ok {
		targets = p.Preset().Targets
	}
	a, err := lora.New(lora.Config{Rank: 2, Alpha: 2, Targets: targets, Init: lora.FanIn}, layers)
	require.NoError(t, err)
	params, rng := a.Params(), rand.New(rand.NewPCG(1, 2))
	for k := 1; k < len(params); k += 2 {
		tensors.MustMutableFlatData(params[k], func(values []float32) {
			for i := range values {
				values[i] = 0.1 * float32(rng.NormFloat64())
			}
		})
	}
	a, err = a.WithParams(params)
	require.NoError(t, err)
	return a
}

// layers lists what can be adapted, from a graph that is thrown away.
func (s *subject) layers(t *testing.T) []lora.Layer {
	graph := NewGraph(s.rt.Backend, "layers")
	defer graph.Finalize()
	model.SetStore(graph, s.rt.Store)
	var cond []*Node
	for k, x := range s.cond[0] {
		cond = append(cond, Parameter(graph, fmt.Sprintf("cond%d", k), x.Shape()))
	}
	recorder := lora.Record()
	s.g.Predict(recorder.Delta(), Parameter(graph, "latents", s.latents(t, 0).Shape()), Parameter(graph, "i", shapes.Make(dtypes.Int32)), cond)
	return recorder.Layers()
}

// latents of some seeds.
func (s *subject) latents(t *testing.T, seeds ...int64) *tensors.Tensor {
	x, err := s.g.Latents(seeds...)
	require.NoError(t, err)
	require.Equal(t, dtypes.Float32, x.DType(), "of latents")
	require.GreaterOrEqual(t, x.Rank(), 2, "of latents")
	require.Equal(t, len(seeds), x.Shape().Dim(0), "of latents: rows")
	return x
}

// stacked joins the conditions of some prompts to a batch, as Sample does.
func (s *subject) stacked(prompts ...int) []*tensors.Tensor {
	var list []*tensors.Tensor
	for k := range s.cond[0] {
		var rows []*tensors.Tensor
		for _, p := range prompts {
			rows = append(rows, s.cond[p][k])
		}
		list = append(list, MustExecOnce(s.rt.Backend, func(in []*Node) *Node { return Concatenate(in, 0) }, anys(rows)...))
	}
	return list
}

func anys(list []*tensors.Tensor) []any {
	var out []any
	for _, x := range list {
		out = append(out, x)
	}
	return out
}

// take reads the inputs of predict.
func (s *subject) take(in []*Node) (latents, i *Node, delta *lora.Delta, cond []*Node) {
	n := len(s.cond[0])
	return in[0], in[1], s.adapter.Delta(in[3+n:], in[2]), in[3 : 3+n]
}

// given lists the inputs of predict.
func (s *subject) given(latents *tensors.Tensor, i int, weight float64, cond []*tensors.Tensor) []any {
	in := append([]any{latents, int32(i), float32(weight)}, anys(cond)...)
	return append(in, anys(s.adapter.Params())...)
}

// step returns the prediction at step i, the clean estimate and the latents of the
// next step.
func (s *subject) step(t *testing.T, latents *tensors.Tensor, i int, weight float64, cond []*tensors.Tensor) (prediction, clean, next *tensors.Tensor) {
	out, err := s.predict.Call(s.given(latents, i, weight, cond)...)
	require.NoError(t, err)
	for k, name := range []string{"Predict", "Clean", "Step"} {
		require.True(t, out[k].Shape().Equal(latents.Shape()), "%s gives %s for latents %s", name, out[k].Shape(), latents.Shape())
		require.True(t, finite(out[k]), "%s gives numbers that are not finite", name)
	}
	return out[0], out[1], out[2]
}

// picture decodes latents.
func (s *subject) picture(t *testing.T, latents *tensors.Tensor) *tensors.Tensor {
	out, err := s.decode.Call(latents)
	require.NoError(t, err)
	d := out[0].Shape().Dimensions
	require.Equal(t, dtypes.Float32, out[0].DType(), "of pictures")
	require.Len(t, d, 4, "pictures are [batch, height, width, 3]")
	require.Equal(t, []int{latents.Shape().Dim(0), 3}, []int{d[0], d[3]}, "of pictures: batch and channels")
	require.True(t, finite(out[0]), "Decode gives numbers that are not finite")
	return out[0]
}

// tolerance is how far apart numbers may be that would be equal but for rounding,
// relative to the largest.
func (s *subject) tolerance() float64 {
	if s.rt.DType.IsHalfPrecision() {
		return 0.05
	}
	return 1e-3
}

// difference is the largest distance of two tensors' elements, relative to the
// largest element of the second.
func difference(t *testing.T, got, want []float32) float64 {
	require.Len(t, got, len(want))
	largest, worst := 0.0, 0.0
	for i := range want {
		largest = max(largest, math.Abs(float64(want[i])))
		worst = max(worst, math.Abs(float64(got[i])-float64(want[i])))
	}
	if largest == 0 {
		return worst
	}
	return worst / largest
}

func flat(x *tensors.Tensor) []float32 { return tensors.MustCopyFlatData[float32](x) }

// row returns the elements of one row of a batch.
func row(x *tensors.Tensor, k int) []float32 {
	size := x.Shape().Size() / x.Shape().Dim(0)
	return flat(x)[k*size : (k+1)*size]
}

func finite(x *tensors.Tensor) bool {
	for _, v := range flat(x) {
		if v-v != 0 { // 0 for every number, NaN for the rest
			return false
		}
	}
	return true
}
