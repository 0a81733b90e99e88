package vision

import (
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// TestLimit: the gradient of torch's clamp, which is 1 at both ends too.
func TestLimit(t *testing.T) {
	x := tensors.FromFlatDataAndDimensions([]float32{-0.5, 0, 0.3, 1, 1.5}, 1, 1, 5, 1)
	out := run(t, golden.Plain(t), func(in []*Node) []*Node {
		y := Limit(in[0])
		return []*Node{y, Gradient(ReduceAllSum(y), in[0])[0]}
	}, x)
	assert.Equal(t, []float32{0, 0, 0.3, 1, 1}, out[0])
	assert.Equal(t, []float32{0, 1, 1, 1, 0}, out[1])
}

// TestStretch: each picture by its own range; extremes that occur twice share the
// gradient; one colour alone gives no NaN.
func TestStretch(t *testing.T) {
	x := tensors.FromFlatDataAndDimensions([]float32{1, 3, 3, 2, 5, 5, 5, 5}, 2, 1, 4, 1)
	out := run(t, golden.Plain(t), func(in []*Node) []*Node {
		y := Stretch(in[0])
		third := Slice(y, AxisRange(), AxisRange(), AxisElem(3)) // (x - low) / (high - low)
		return []*Node{y, Gradient(ReduceAllSum(third), in[0])[0]}
	}, x)
	assert.Equal(t, []float32{0, 1, 1, 0.5, 0, 0, 0, 0}, out[0])
	assert.Equal(t, []float32{-0.25, -0.125, -0.125, 0.5}, out[1][:4])
	for _, g := range out[1][4:] {
		assert.False(t, g != g)
	}
}

func TestResizeCrop(t *testing.T) {
	values := make([]float32, 2*7*9*3)
	for i := range values {
		values[i] = float32(i*i%101) / 100
	}
	x, rt := tensors.FromFlatDataAndDimensions(values, 2, 7, 9, 3), golden.Plain(t)
	for _, f := range filters {
		out := run(t, rt, func(in []*Node) []*Node {
			to, crop := Size{12, 16}, Size{5, 7}
			return []*Node{ResizeCrop(in[0], to, crop, f), CenterCrop(Resize(in[0], to, f), crop)}
		}, x)
		assert.InDeltaSlice(t, out[1], out[0], 1e-6)
	}
	out := run(t, rt, func(in []*Node) []*Node {
		return []*Node{ResizeCrop(in[0], Size{7, 9}, Size{4, 4}, Filter{Bicubic, true}), Slice(in[0], AxisRange(), AxisRange(1, 5), AxisRange(2, 6))}
	}, x)
	assert.Equal(t, out[1], out[0], "without a resize it is a crop alone, an odd pixel more at the end")
}

// TestResizeSteps: what the steps give one after the other, up, down and not at all.
func TestResizeSteps(t *testing.T) {
	values := make([]float32, 7*9*3)
	for i := range values {
		values[i] = float32(i*i%101) / 100
	}
	x, rt := tensors.FromFlatDataAndDimensions(values, 1, 7, 9, 3), golden.Plain(t)
	for _, steps := range [][]Size{
		{{20, 31}, {6, 6}}, {{7, 4}, {7, 11}}, {{3, 9}, {3, 9}}, {{7, 9}}, {{14, 18}, {24, 18}, {5, 8}},
	} {
		out := run(t, rt, func(in []*Node) []*Node {
			f, y := Filter{Lanczos, true}, in[0]
			for _, size := range steps {
				y = Resize(y, size, f)
			}
			return []*Node{y, ResizeSteps(in[0], f, steps...)}
		}, x)
		assert.InDeltaSlice(t, out[0], out[1], 1e-6, "%v", steps)
	}
}

func TestMisuse(t *testing.T) {
	rt := golden.Plain(t)
	g := NewGraph(rt.Backend, "misuse")
	x := Parameter(g, "x", shapes.Make(rt.DType, 1, 4, 4, 3))
	assert.Panics(t, func() { Resize(x, Size{0, 4}, Filter{}) })
	assert.Panics(t, func() { CenterCrop(x, Size{5, 4}) })
	assert.Panics(t, func() { Normalize(x, []float64{0}, []float64{1}) })
}

// TestMean: weights of every filter sum to 1, so one colour stays as it is, at any
// size.
func TestMean(t *testing.T) {
	for _, f := range filters {
		for _, size := range [][2]int{{1, 5}, {5, 1}, {3, 1000}, {1000, 3}, {7, 7}, {2, 3}} {
			for i, row := range f.matrix(size[0], size[1], 0, size[1]) {
				sum := 0.
				for _, w := range row {
					sum += float64(w)
				}
				assert.InDelta(t, 1, sum, 1e-5, "%v %v, pixel %d", f, size, i)
			}
		}
	}
}

// drawn is a weights.Source of random variables.
type drawn struct {
	store *model.Store
	rng   *rand.Rand
}

func (s drawn) Variable(name string, dims ...int) (*model.Variable, error) {
	values := make([]float32, shapes.Make(dtypes.Float32, dims...).Size())
	for i := range values {
		values[i] = float32(s.rng.NormFloat64())
	}
	return s.store.CreateVariable("/"+name, tensors.FromFlatDataAndDimensions(values, dims...))
}

// TestEncoder: a tower on a grid whose last rows and columns are left over.
func TestEncoder(t *testing.T) {
	rt := golden.Plain(t)
	const hidden, patch = 4, 3
	var embed *PatchEmbedding
	var encoder *Encoder
	cfg := nn.EncoderConfig{Layers: 2, Hidden: hidden, Intermediate: 5, Heads: 2, Epsilon: 1e-6, Activation: nn.GELU}
	c := weights.NewCursor(drawn{rt.Store, rand.New(rand.NewPCG(1, 2))})
	embed, encoder = NewPatchEmbedding(c.In("patches"), 3, hidden, patch, true), NewEncoder(c.In("encoder"), cfg)
	require.NoError(t, c.Err())
	require.Equal(t, Size{2, 3}, embed.Grid(Size{8, 9}))
	require.Positive(t, cfg.Activations(6))
	values := make([]float32, 8*9*3)
	for i := range values {
		values[i] = float32(i%13) / 13
	}
	build := func(checkpoint bool) func(in []*Node) []*Node {
		return func(in []*Node) []*Node {
			f := nn.Pass{Checkpoint: checkpoint, Recorder: &nn.Recorder{}}
			y := encoder.Apply(f, embed.Apply(f, in[0]))
			require.NotNil(t, f.Recorder.Output("vision_blocks.0"))
			require.Same(t, y, f.Recorder.Output("vision_blocks.1"))
			return []*Node{y, Gradient(ReduceAllSum(Square(y)), in[0])[0]}
		}
	}
	x := tensors.FromFlatDataAndDimensions(values, 1, 8, 9, 3)
	want, got := run(t, rt, build(false), x), run(t, rt, build(true), x)
	require.Len(t, want[0], 2*3*hidden)
	assert.InDeltaSlice(t, want[0], got[0], 1e-6)
	assert.InDeltaSlice(t, want[1], got[1], 1e-5)
	for i, g := range want[1] {
		if row := i / 27; row >= 6 {
			assert.Zero(t, g, "rows that are left over")
		} else {
			assert.NotZero(t, g)
		}
	}
}
