package pocket

import (
	"context"
	"io/fs"
	"math/rand/v2"
	"testing"
	"testing/fstest"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
)

// open opens the embedded verifier.
func open(t *testing.T) *Verifier {
	t.Helper()
	v, err := Open(t.Context(), golden.Runtime(t), Options{})
	require.NoError(t, err)
	return v
}

func TestPrepareNamesWhatIsWrong(t *testing.T) {
	v := open(t)
	size := v.config.ImageSize
	ask := func(text, answer string, height, width int) error {
		_, err := v.Prepare(context.Background(), dualprocess.Question{Text: text, Answer: answer}, height, width)
		return err
	}
	assert.NoError(t, ask("Is the lake frozen?", "Yes", size, size))
	assert.NoError(t, ask("Is the lake frozen?", "Yes", 4*size, 4*size))
	assert.ErrorIs(t, ask("Is the lake frozen?", "Yes indeed", size, size), ErrUnknownWord)
	assert.ErrorIs(t, ask("Is the lake frozen?", "Yes Yes", size, size), ErrAnswer)
	assert.ErrorIs(t, ask("Is the lake frozen?", "Yes", size, 2*size), ErrPictureSize)
	assert.ErrorIs(t, ask("Is the lake frozen?", "Yes", size+1, size+1), ErrPictureSize)
	err := ask("Is the lak frozen?", "Yes", size, size)
	require.ErrorIs(t, err, ErrUnknownWord)
	assert.ErrorContains(t, err, "lake")
	long := "Is the lake frozen? Is the lake frozen? Is the lake frozen? Is the lake frozen? Is the lake frozen?"
	assert.ErrorIs(t, ask(long, "Yes", size, size), ErrQuestionTooLong)
}

// TestLogProbs: several questions at once are answered as one by one, a batch as
// its pictures, larger pictures as small ones, and there is a gradient.
func TestLogProbs(t *testing.T) {
	v := open(t)
	size := v.config.ImageSize
	rng := rand.New(rand.NewPCG(8, 8))
	var pixels []float32
	for range 2 {
		pixels = append(pixels, world.NewScene(rng, world.Lake, world.Broad).Draw(size).Pix...)
	}
	image := tensors.FromFlatDataAndDimensions(pixels, 2, size, size, 3)
	var inputs []any
	for _, text := range []string{"Is the lake frozen?", "Is it winter?"} {
		in, err := v.Prepare(context.Background(), dualprocess.Question{Text: text, Answer: "Yes"}, size, size)
		require.NoError(t, err)
		inputs = append(inputs, in[0], in[1])
	}
	exec, err := graphs.NewExecutor(v.runtime, func(in []*Node) []*Node {
		q := [][]*Node{in[1:3], in[3:5]}
		both := v.LogProbs(in[0], q)
		second := v.LogProbs(Slice(in[0], AxisRange(1)), q[1:])
		double := doubled(doubled(in[0], 1), 2)
		large := v.LogProbs(double, q)
		grad := Gradient(Add(ReduceAllSum(both[0]), ReduceAllSum(both[1])), in[0])[0]
		return []*Node{both[0], both[1], second[0], large[0], ReduceAllSum(Square(grad))}
	})
	require.NoError(t, err)
	out, err := exec.Call(append([]any{image}, inputs...)...)
	require.NoError(t, err)
	flat := func(k int) []float32 { return tensors.MustCopyFlatData[float32](out[k]) }
	assert.Len(t, flat(0), 2)
	assert.InDelta(t, flat(1)[1], flat(2)[0], 1e-4)
	assert.InDeltaSlice(t, flat(0), flat(3), 1e-4)
	assert.Positive(t, tensors.ToScalar[float32](out[4]))
	for _, p := range append(flat(0), flat(1)...) {
		assert.Less(t, p, float32(0))
	}
}

// doubled repeats every element along an axis.
func doubled(x *Node, axis int) *Node {
	return Reshape(Stack([]*Node{x, x}, axis+1), doubledDims(x, axis)...)
}

func doubledDims(x *Node, axis int) []int {
	d := append([]int(nil), x.Shape().Dimensions...)
	d[axis] *= 2
	return d
}

func TestOpenNamesWhatIsWrong(t *testing.T) {
	v := open(t)
	for name, test := range map[string]struct{ file, content, says string }{
		"other model":   {"config.json", `{"architectures": ["Qwen"], "image_size": 64}`, "hidden_size"},
		"unknown field": {"config.json", `{"image_size": 64, "bits": 4}`, "bits"},
		"no JSON":       {"config.json", `[`, "config.json"},
		"no tokenizer":  {"tokenizer.json", `{}`, "tokenizer.json"},
		"no weights":    {"model.safetensors", `x`, "model.safetensors"},
	} {
		t.Run(name, func(t *testing.T) {
			files := fstest.MapFS{}
			for _, file := range []string{"config.json", "tokenizer.json", "model.safetensors"} {
				data, err := fs.ReadFile(embedded, "weights/"+file)
				require.NoError(t, err)
				files[file] = &fstest.MapFile{Data: data}
			}
			files[test.file].Data = []byte(test.content)
			_, err := OpenFS(t.Context(), v.runtime, files, Options{})
			assert.ErrorContains(t, err, test.says)
		})
	}
}
