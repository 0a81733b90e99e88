package generator

import (
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/lora"
)

// TestInt8: rounded weights change the prediction and the adapter's gradient by little, and take less
// memory. How little depends on the network: each number is off by some thousandths, which the small random
// ones here make more of, a few layers of a few channels, and Sana's linear attention most.
func TestInt8(t *testing.T) {
	rt, first := golden.Runtime(t), golden.FirstOfClass(t)
	for _, f := range golden.Fixtures(t, golden.Generator) {
		if !first(f, "model") {
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			o := Options{Height: 64, Width: 64}
			exact, gradient, bytes := predicted(t, rt, f.Path("model"), o)
			o.Int8 = true
			rounded, also, less := predicted(t, rt, f.Path("model"), o)
			off, err := golden.Distance(exact, rounded)
			require.NoError(t, err)
			offGradient, err := golden.Distance(gradient, also)
			require.NoError(t, err)
			t.Logf("prediction off by %.2g, gradient by %.2g, %d bytes of %d", off, offGradient, less, bytes)
			assert.Positive(t, off)
			assert.Less(t, off, 0.08)
			assert.Less(t, offGradient, 0.2)
			assert.Less(t, less, bytes)
		})
	}
}

// predicted is a prediction, the gradient of its product with the latents by an adapter, and the size of
// the generator's weights.
func predicted(t *testing.T, rt *backends.Runtime, folder string, o Options) (prediction, gradient []float32, bytes int64) {
	before := rt.Free()
	g, err := Open(t.Context(), rt, folder, o)
	require.NoError(t, err)
	defer func() { require.NoError(t, g.Close()) }()
	bytes = before - rt.Free()
	layers, err := dualprocess.Layers(rt, g)
	require.NoError(t, err)
	a, err := lora.New(lora.Config{Rank: 2, Targets: preset(g)}, layers)
	require.NoError(t, err)
	cond, err := g.Encode(t.Context(), "a photo of the sea")
	require.NoError(t, err)
	latents, err := g.Latents(3)
	require.NoError(t, err)
	exec, err := graphs.NewExecutor(rt, func(in []*Node) []*Node {
		matrices := a.Split(in[0])
		y := g.Predict(a.Delta(matrices, Scalar(in[0].Graph(), dtypes.Float32, 5)), in[1], Scalar(in[0].Graph(), dtypes.Int32, 0), in[2:])
		parts := Gradient(ReduceAllSum(Mul(y, in[1])), matrices...)
		for k, x := range parts {
			parts[k] = Reshape(x, -1)
		}
		return []*Node{y, Concatenate(parts, 0)}
	})
	require.NoError(t, err)
	defer exec.Finalize()
	inputs := []any{a.Vector(), latents}
	for _, c := range cond {
		inputs = append(inputs, c)
	}
	out, err := exec.Call(inputs...)
	require.NoError(t, err)
	return tensors.MustCopyFlatData[float32](out[0]), tensors.MustCopyFlatData[float32](out[1]), bytes
}

// preset are the layers that the generator suggests to adapt.
func preset(g Generator) []string {
	if p, ok := g.(dualprocess.Presetter); ok {
		return p.Preset().Targets
	}
	return nil
}
