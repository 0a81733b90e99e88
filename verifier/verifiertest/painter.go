package verifiertest

import (
	"context"
	"math/rand/v2"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/lora"
)

// painter is a generator of one step: a few random numbers become a grid of
// coloured fields by one matrix, which can be adapted.
type painter struct {
	matrix        *model.Variable // [out, in]
	height, width int
}

const (
	painterLatents = 8
	painterFields  = 4 // along a side
)

var _ dualprocess.Generator = (*painter)(nil)

func newPainter(t *testing.T, rt *backends.Runtime, height, width int) *painter {
	const path = "/painter/matrix"
	g := &painter{rt.Store.GetVariable(path), height, width}
	if g.matrix == nil {
		rng := rand.New(rand.NewPCG(5, 6))
		values := make([]float32, painterFields*painterFields*3*painterLatents)
		for i := range values {
			values[i] = 0.05 * float32(rng.NormFloat64())
		}
		var err error
		g.matrix, err = rt.Store.CreateVariable(path, tensors.FromFlatDataAndDimensions(values, len(values)/painterLatents, painterLatents))
		require.NoError(t, err)
		g.matrix.SetTrainable(false)
	}
	return g
}

// Encode reads nothing: all prompts are one to it.
func (g *painter) Encode(context.Context, string) (dualprocess.Inputs, error) {
	return dualprocess.Inputs{tensors.FromFlatDataAndDimensions([]float32{0}, 1, 1)}, nil
}

func (g *painter) Latents(seeds ...int64) (*tensors.Tensor, error) {
	var noise []float32
	for _, seed := range seeds {
		rng := rand.New(rand.NewPCG(uint64(seed), 0))
		for range painterLatents {
			noise = append(noise, float32(rng.NormFloat64()))
		}
	}
	return tensors.FromFlatDataAndDimensions(noise, len(seeds), painterLatents), nil
}

func (g *painter) Steps() int { return 1 }

// Predict lets the adapter bend the latents.
func (g *painter) Predict(d *lora.Delta, latents, _ *Node, _ []*Node) *Node {
	x := Tanh(latents)
	return d.Linear("bend", x, x)
}

func (g *painter) Clean(_, prediction, _ *Node) *Node { return prediction }

func (g *painter) Step(_, prediction, _ *Node) *Node { return prediction }

func (g *painter) Decode(latents *Node) *Node {
	colours := Dot(latents, g.matrix.NodeValue(latents)).General([]int{1}, nil, []int{1}, nil)
	fields := Reshape(AddScalar(colours, 0.5), latents.Shape().Dim(0), painterFields, painterFields, 3)
	return grow(grow(fields, 1, g.height), 2, g.width)
}

// grow repeats the fields along an axis, in turn, to a length that need not be a
// multiple.
func grow(x *Node, axis, length int) *Node {
	var parts []*Node
	fields := x.Shape().Dim(axis)
	for k := range fields {
		field := SliceAxis(x, axis, AxisElem(k))
		if times := (k+1)*length/fields - k*length/fields; times > 0 {
			dims := append([]int(nil), field.Shape().Dimensions...)
			dims[axis] = times
			parts = append(parts, BroadcastToDims(field, dims...))
		}
	}
	return Concatenate(parts, axis)
}
