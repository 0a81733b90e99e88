package dualprocess_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/lora"
)

// The toy world: latents are 8 numbers, pictures 4x4 pixels. A flow of four steps
// with two layers that can be adapted, and a verifier that knows which colours a
// word means. Real graph code, small enough for every backend.

const (
	toyLatents = 8
	toySide    = 4
)

var toyPrompts = []string{"sea", "meadow", "desert"}

type toyGenerator struct {
	mix, text, out, paint *model.Variable
	predicts              atomic.Int32 // times that Predict was built into a graph
}

func newToyGenerator(rt *backends.Runtime) (*toyGenerator, error) {
	random := rand.New(rand.NewPCG(1, 2))
	g := &toyGenerator{}
	for _, v := range []struct {
		to       **model.Variable
		name     string
		in, out  int
		strength float32
	}{
		{&g.mix, "mix", toyLatents, toyLatents, .4},
		{&g.text, "text", len(toyPrompts), toyLatents, .5},
		{&g.out, "out", toyLatents, toyLatents, .6},
		{&g.paint, "paint", toyLatents, toySide * toySide * 3, .25},
	} {
		values := make([]float32, v.in*v.out)
		for k := range values {
			values[k] = v.strength * float32(random.NormFloat64())
		}
		made, err := rt.Store.CreateVariable("/generator/"+v.name, tensors.FromFlatDataAndDimensions(values, v.in, v.out))
		if err != nil {
			return nil, err
		}
		*v.to = made.SetTrainable(false)
	}
	return g, nil
}

func (g *toyGenerator) Encode(_ context.Context, prompt string) (dualprocess.Inputs, error) {
	k := slices.Index(toyPrompts, prompt)
	if k < 0 {
		return nil, fmt.Errorf("toy: %w: unknown word %q", dualprocess.ErrPrompt, prompt)
	}
	oneHot := make([]float32, len(toyPrompts))
	oneHot[k] = 1
	return dualprocess.Inputs{tensors.FromFlatDataAndDimensions(oneHot, 1, len(oneHot))}, nil
}

func (g *toyGenerator) Conditions() []shapes.Shape {
	return []shapes.Shape{shapes.Make(dtypes.Float32, 1, len(toyPrompts))}
}

func (g *toyGenerator) Latents(seeds ...int64) (*tensors.Tensor, error) {
	var noise []float32
	for _, seed := range seeds {
		random := rand.New(rand.NewPCG(uint64(seed), 0))
		for range toyLatents {
			noise = append(noise, float32(random.NormFloat64()))
		}
	}
	return tensors.FromFlatDataAndDimensions(noise, len(seeds), toyLatents), nil
}

func (g *toyGenerator) Steps() int { return 4 }

// sigma looks up the noise level of step i, with 0 behind the last.
func (g *toyGenerator) sigma(i *Node) *Node {
	return Gather(Const(i.Graph(), []float32{1, .75, .5, .25, 0}), Reshape(i, 1))
}

func (g *toyGenerator) Predict(d *lora.Delta, latents, i *Node, cond []*Node) *Node {
	g.predicts.Add(1)
	h := d.Linear("mix", latents, Dot(latents, g.mix.NodeValue(latents)).MatMul())
	h = Tanh(Add(h, Dot(cond[0], g.text.NodeValue(latents)).MatMul()))
	clean := d.Linear("out", h, Dot(h, g.out.NodeValue(latents)).MatMul())
	return Sub(latents, clean)
}

func (g *toyGenerator) Clean(latents, velocity, i *Node) *Node {
	return Sub(latents, Mul(velocity, g.sigma(i)))
}

func (g *toyGenerator) Step(latents, velocity, i *Node) *Node {
	return Add(latents, Mul(velocity, Sub(g.sigma(AddScalar(i, 1)), g.sigma(i))))
}

func (g *toyGenerator) Noise(clean, noise, i *Node) *Node {
	sigma := g.sigma(i)
	return Add(Mul(clean, OneMinus(sigma)), Mul(noise, sigma))
}

func (g *toyGenerator) Decode(latents *Node) *Node {
	pixels := AddScalar(Dot(latents, g.paint.NodeValue(latents)).MatMul(), .5)
	return Reshape(pixels, -1, toySide, toySide, 3)
}

// toyVerifier looks at the mean of the colours and answers by their difference.
type toyVerifier struct {
	looks int // times that LogProbs was built into a graph
}

// toyColours are how much red, green and blue speak for a word.
var toyColours = map[string][]float32{"red": {2, -1, -1}, "green": {-1, 2, -1}, "bright": {1, 1, 1}}

func (v *toyVerifier) Prepare(_ context.Context, q dualprocess.Question, _, _ int) (dualprocess.Inputs, error) {
	colours, ok := toyColours[q.Text]
	if !ok {
		return nil, fmt.Errorf("toy: %w: unknown word %q", dualprocess.ErrPrompt, q.Text)
	}
	sign := float32(1)
	if strings.EqualFold(q.Answer, "no") {
		sign = -1
	}
	return dualprocess.Inputs{tensors.FromFlatDataAndDimensions(slices.Clone(colours), 3), tensors.FromScalar(sign)}, nil
}

func (v *toyVerifier) LogProbs(image *Node, questions [][]*Node) []*Node {
	v.looks++
	meanColour := ReduceMean(ClipScalar(image, 0, 1), 1, 2) // [batch, 3]
	var answers []*Node
	for _, q := range questions {
		logit := MulScalar(ReduceSum(Mul(AddScalar(meanColour, -.5), ExpandDims(q[0], 0)), 1), 6)
		answers = append(answers, Neg(Softplus(Neg(Mul(logit, q[1])))))
	}
	return answers
}

// bar is an overlay: it paints the first rows in one grey.
type bar struct {
	rows int
	grey float32
}

func (b bar) Apply(image *Node) *Node {
	painted := MulScalar(OnesLike(Slice(image, AxisRange(), AxisRange(0, b.rows))), b.grey)
	return Concatenate([]*Node{painted, Slice(image, AxisRange(), AxisRange(b.rows))}, 1)
}

// toy is a runtime with both toy models.
type toy struct {
	rt *backends.Runtime
	g  *toyGenerator
	v  *toyVerifier
}

func newToy(t testing.TB, backend string) *toy {
	t.Helper()
	rt, err := backends.Open(context.Background(), backends.Options{Backend: backend, NoDownload: true})
	if err != nil && backend != "go" {
		t.Skipf("no %s here: %v", backend, err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, rt.Close()) })
	g, err := newToyGenerator(rt)
	require.NoError(t, err)
	require.Equal(t, dtypes.Float32, g.mix.DType())
	return &toy{rt, g, &toyVerifier{}}
}

// task is a small task that learns within its updates.
func (w *toy) task() dualprocess.Task {
	return dualprocess.Task{
		Runtime: w.rt, Generator: w.g, Verifier: w.v,
		Prompts:   []string{"sea"},
		Questions: []dualprocess.Question{{Text: "red", Answer: "Yes"}},
		Adapter:   lora.Config{Rank: 2}, LearningRate: .01, Updates: 30, Batch: 2, Weight: 2,
	}
}

// eachBackend runs a test on every backend that the machine has. As XLA takes half
// a second to compile even a toy, tests try their variants on the Go backend alone.
func eachBackend(t *testing.T, test func(t *testing.T, w *toy)) {
	for _, backend := range []string{"go", "xla:cpu"} {
		t.Run(backend, func(t *testing.T) { test(t, newToy(t, backend)) })
	}
}

// numbers returns all of an adapter's numbers.
func numbers(t *testing.T, a *lora.Adapter) []float32 {
	t.Helper()
	require.NotNil(t, a)
	var all []float32
	for _, p := range a.Params() {
		all = append(all, tensors.MustCopyFlatData[float32](p)...)
	}
	return all
}

// unseen are seeds that no training picture has: those are drawn below 2³².
func unseen(n int) []int64 {
	seeds := make([]int64, n)
	for k := range seeds {
		seeds[k] = 1<<40 + int64(k)
	}
	return seeds
}
