package dualprocess_test

import (
	"image"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
)

// lookingBack is the toy with a sampler that looks back.
type lookingBack struct{ *toyGenerator }

var _ dualprocess.Multistepper = lookingBack{}

func (g lookingBack) StepAfter(latents, prediction, previous, i *Node) *Node {
	ahead := MulScalar(Sub(g.Clean(latents, prediction, i), previous), .3)
	first := Equal(i, ScalarZero(i.Graph(), i.DType()))
	return Add(g.Step(latents, prediction, i), Where(first, ZerosLike(ahead), ahead))
}

// written is the graph of all steps and the picture, written out.
func (g lookingBack) written(in []*Node) []*Node {
	x, previous := in[0], in[0]
	for k := range g.Steps() {
		i := Scalar(x.Graph(), dtypes.Int32, k)
		prediction := g.Predict(nil, x, i, in[1:])
		clean := g.Clean(x, prediction, i)
		next := g.Step(x, prediction, i)
		if k > 0 {
			next = Add(next, MulScalar(Sub(clean, previous), .3))
		}
		x, previous = next, clean
	}
	return []*Node{g.Decode(x)}
}

// TestMultistepper compares Sample with the steps written out, and the gradient's
// way through all steps with Sample.
func TestMultistepper(t *testing.T) {
	eachBackend(t, func(t *testing.T, w *toy) {
		g := lookingBack{w.g}
		cond, err := g.Encode(background, "sea")
		require.NoError(t, err)
		noise, err := g.Latents(3)
		require.NoError(t, err)
		exec, err := graphs.NewExecutor(w.rt, func(in []*Node) []*Node { return g.written(in) })
		require.NoError(t, err)
		defer exec.Finalize()
		out, err := exec.Call(noise, cond[0])
		require.NoError(t, err)

		images, err := dualprocess.Sample(background, w.rt, g, "sea", dualprocess.SampleOptions{Seeds: []int64{3}})
		require.NoError(t, err)
		for k, want := range tensors.MustCopyFlatData[float32](out[0]) {
			got := images[0].(*image.NRGBA).Pix[k/3*4+k%3]
			assert.InDelta(t, 255*min(max(want, 0), 1), float32(got), .501)
		}

		task := w.latentTask(3)
		task.Generator, task.Unroll, task.Updates = g, g.Steps(), 1
		var seen []float64
		task.Progress = func(u dualprocess.Update) { seen = append(seen, u.P...) }
		result, err := dualprocess.OptimizeLatents(background, task)
		require.NoError(t, err)
		assert.InDeltaSlice(t, result.PBefore[0], seen, 1e-5)
	})
}
