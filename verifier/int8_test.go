package verifier_test

import (
	"cmp"
	"path/filepath"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/pixels"
	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
	"github.com/dualprocess/dualprocess-go/verifier"
)

// TestInt8: rounded weights change the loss and its gradient by the pixels by little, and take less memory. How
// little depends on the network: each number is off by some thousandths, which the small random ones here make more
// of, Qwen3.5's recurrent layers most. The pocket verifier is asked about a picture of the kind that it knows, as what it
// says of noise is certain and has a gradient of nothing but chance.
func TestInt8(t *testing.T) {
	rt, most := golden.Plain(t), map[string]float64{"gemma3": 0.25, "qwen3_5": 0.7}
	noise := vlmtest.Noise(vision.Size{Height: 128, Width: 128})
	for name, f := range fixtures(t) {
		t.Run(name, func(t *testing.T) { requireInt8(t, rt, f.Path("model"), noise, cmp.Or(most[name], 0.12)) })
	}
	scene, err := world.Parse("a meadow by day with a tree")
	require.NoError(t, err)
	scene.Horizon = 0.45
	drawn := pixels.FromImages(scene.Draw(64).Image())
	t.Run("pocket", func(t *testing.T) { requireInt8(t, rt, filepath.FromSlash(pocketFolder), drawn, 0.12) })
}

// requireInt8 wants the gradient to be off by at most a part of its length.
func requireInt8(t *testing.T, rt *backends.Runtime, folder string, picture *tensors.Tensor, most float64) {
	loss, gradient, bytes := asked(t, rt, folder, picture, verifier.Options{})
	rounded, also, less := asked(t, rt, folder, picture, verifier.Options{Int8: true})
	off, err := golden.Distance(gradient, also)
	require.NoError(t, err)
	t.Logf("loss %.5f and %.5f, gradient off by %.2g, %d bytes of %d", loss, rounded, off, less, bytes)
	assert.InEpsilon(t, loss, rounded, 0.02)
	assert.Positive(t, off)
	assert.Less(t, off, most)
	assert.Less(t, less, bytes)
}

// asked is -log P of an answer about a picture, its gradient by the pixels, and the size of the verifier's
// weights.
func asked(t *testing.T, rt *backends.Runtime, folder string, picture *tensors.Tensor, o verifier.Options) (loss float64, gradient []float32, bytes int64) {
	before := rt.Free()
	v, err := verifier.Open(t.Context(), rt, folder, o)
	require.NoError(t, err)
	defer func() { require.NoError(t, v.Close()) }()
	bytes = before - rt.Free()
	q := dualprocess.Question{Text: "Is the horizon in the upper half of the picture?", Answer: "Yes"}
	size := picture.Shape().Dimensions
	prepared, err := v.Prepare(t.Context(), q, size[1], size[2])
	require.NoError(t, err)
	exec, err := graphs.NewExecutor(rt, func(in []*Node) []*Node {
		loss := Neg(ReduceAllSum(v.LogProbs(in[0], [][]*Node{in[1:]})[0]))
		return []*Node{loss, Gradient(loss, in[0])[0]}
	})
	require.NoError(t, err)
	defer exec.Finalize()
	inputs := []any{picture}
	for _, x := range prepared {
		inputs = append(inputs, x)
	}
	out, err := exec.Call(inputs...)
	require.NoError(t, err)
	return float64(tensors.ToScalar[float32](out[0])), tensors.MustCopyFlatData[float32](out[1]), bytes
}
