package pipelinetest

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/lora"
)

// Sampler runs a generator step by step.
type Sampler struct {
	r     *Reference
	g     Generator
	cond  dualprocess.Inputs // of the fixture's prompt
	step  *model.Exec
	state int // tensors that go from one step to the next: see dualprocess.Multistepper
}

// Sampler compiles a step of a generator, with adapters of a's shapes unless a is
// nil.
func (r *Reference) Sampler(t *testing.T, g Generator, cond dualprocess.Inputs, a *lora.Adapter) *Sampler {
	s := &Sampler{r: r, g: g, cond: cond, state: 1}
	if _, ok := g.(dualprocess.Multistepper); ok {
		s.state = 2
	}
	var err error
	s.step, err = graphs.NewExecutor(r.Runtime, func(in []*Node) []*Node {
		return s.build(a, in)
	})
	require.NoError(t, err)
	t.Cleanup(s.step.Finalize)
	return s
}

// build is the graph of one step: state, i, conditions and, of an adapter, its
// weight and parameters.
func (s *Sampler) build(a *lora.Adapter, in []*Node) []*Node {
	state, i, in := in[:s.state], in[s.state], in[s.state+1:]
	cond, rest := in[:len(s.cond)], in[len(s.cond):]
	var delta *lora.Delta
	if a != nil {
		delta = a.Delta(rest[1:], rest[0])
	}
	prediction := s.g.Predict(delta, state[0], i, cond)
	if m, ok := s.g.(dualprocess.Multistepper); ok {
		return []*Node{m.StepAfter(state[0], prediction, state[1], i), s.g.Clean(state[0], prediction, i)}
	}
	return []*Node{s.g.Step(state[0], prediction, i)}
}

// Denoise returns the latents after every step up to end, with the parameters of
// the sampler's adapter, if it has one.
func (s *Sampler) Denoise(t *testing.T, latents *tensors.Tensor, end int, weight float64, params []*tensors.Tensor) (after []*tensors.Tensor) {
	state := []*tensors.Tensor{latents, latents}[:s.state]
	for i := range end {
		in := Flatten(state, int32(i), s.cond)
		if params != nil {
			in = Flatten(in, float32(weight), params)
		}
		var err error
		state, err = s.step.Call(in...)
		require.NoError(t, err)
		after = append(after, state[0])
	}
	return after
}

// Run returns the latents after every step and the picture, by an adapter or none.
func (s *Sampler) Run(t *testing.T, a *lora.Adapter, weight float64) (latents []*tensors.Tensor, picture []float32) {
	var params []*tensors.Tensor
	if a != nil {
		params = a.Params()
	}
	latents = s.Denoise(t, s.r.start(t, "in.latents", s.g.Steps()), s.g.Steps(), weight, params)
	return latents, s.r.picture(t, s.g, latents[len(latents)-1])
}

// picture decodes latents: by one program for all generators of the fixture, which
// have the same decoder, as that takes long to compile.
func (r *Reference) picture(t *testing.T, g Generator, latents *tensors.Tensor) []float32 {
	if r.decode == nil {
		var err error
		r.decode, err = graphs.NewExecutor(r.Runtime, func(in []*Node) []*Node {
			return []*Node{Picture(g, in[0])}
		})
		require.NoError(t, err)
	}
	out, err := r.decode.Call(latents)
	require.NoError(t, err)
	return tensors.MustCopyFlatData[float32](out[0])
}

// Picture decodes to the form of the fixtures: [B, 3, H, W] in [-1, 1].
func Picture(g Generator, latents *Node) *Node { return fixtureForm(g.Decode(latents)) }

// fixtureForm brings [B, H, W, 3] in [0, 1] to the form of the fixtures.
func fixtureForm(image *Node) *Node {
	return AddScalar(MulScalar(TransposeAllAxes(image, 0, 3, 1, 2), 2), -1)
}

// Samplings runs a test for every full sampling that the fixture has: of which kind,
// such as "ref", and of how many steps.
func (r *Reference) Samplings(t *testing.T, test func(t *testing.T, kind string, steps int)) {
	runs := map[[2]string]bool{}
	for _, key := range r.Keys() {
		if parts := strings.Split(key, "."); parts[0] == "sample" {
			runs[[2]string{parts[1], parts[2]}] = true
		}
	}
	require.NotEmpty(t, runs)
	for run := range runs {
		t.Run(run[0]+"."+run[1], func(t *testing.T) {
			var steps int
			_, err := fmt.Sscanf(run[1], "n%d", &steps)
			require.NoError(t, err)
			test(t, run[0], steps)
		})
	}
}

// CompareSampling compares a full sampling: latents after every step, and the
// picture. schedule compares what a key holds about the schedule, whose name begins
// with sched_.
func (r *Reference) CompareSampling(t *testing.T, kind string, latents []*tensors.Tensor, picture []float32, schedule func(key, part string)) {
	prefix := fmt.Sprintf("sample.%s.n%d.", kind, len(latents))
	for _, key := range r.Keys() {
		part, ok := strings.CutPrefix(key, prefix)
		if !ok {
			continue
		}
		var after int
		switch {
		case strings.HasPrefix(part, "sched_"):
			schedule(key, part)
		case part == "image_raw":
			r.Compare(t, key, picture, r.Tolerance)
		case part == "image01":
			r.Compare(t, key, clamped(picture), r.Tolerance)
		default:
			_, err := fmt.Sscanf(part, "latents_after%d", &after)
			require.NoError(t, err, key)
			r.Compare(t, key, r.Shown(latents[after-1]), r.Tolerance)
		}
	}
}

// clamped brings a picture from [-1, 1] to [0, 1].
func clamped(picture []float32) []float32 {
	out := make([]float32, len(picture))
	for i, v := range picture {
		out[i] = min(max(v/2+0.5, 0), 1)
	}
	return out
}

// SampledSteps is the number of steps of the pictures that the fixture made with
// adapters: that of its one sampling whose picture is also stored in 8-bit range.
func (r *Reference) SampledSteps(t *testing.T) int {
	for steps := range 1000 {
		if r.Has(fmt.Sprintf("sample.ref.n%d.image01", steps)) {
			return steps
		}
	}
	require.Fail(t, "no sample.ref.n*.image01", r.Name)
	return 0
}

// LatentGradients compares gradients with respect to the start noise: through one
// clean estimate, and through two steps of the sampler. open opens the generator for
// so many steps; times compares the times of two with a key.
func (r *Reference) LatentGradients(t *testing.T, open func(t *testing.T, steps int) (g Generator, cond dualprocess.Inputs, times func(key string))) {
	for name, steps := range map[string]int{"x0": r.About.Spec.Steps, "unroll2": 2} {
		t.Run(name, func(t *testing.T) {
			g, cond, times := open(t, steps)
			prefix := "latgrad." + name + "."
			if name == "unroll2" {
				times(prefix + "timesteps")
			}
			got := r.latentGradient(t, g, cond, name == "unroll2", prefix+"grad")
			r.comparePicture(t, prefix+"image", got.Floats(t, "image"))
			r.Compare(t, prefix+"loss", got.Floats(t, "loss"), r.Tolerance)
			r.Compare(t, prefix+"grad", r.piece(got["grad"]), r.GradientTolerance)
		})
	}
}

// latentGradient runs one clean estimate or two steps from the start noise to a picture,
// and back. It is the gradient at noise nearby if the fixture has a kink at its own.
func (r *Reference) latentGradient(t *testing.T, g Generator, cond dualprocess.Inputs, unroll bool, key string) golden.Results {
	program, err := graphs.NewExecutor(r.Runtime, func(in []*Node) []*Node {
		start, target, cond := in[0], in[1], in[2:]
		x, i := start, Const(start.Graph(), int32(0))
		if unroll {
			x = g.Step(x, g.Predict(nil, x, i, cond), i)
			i = OnePlus(i)
			x = g.Step(x, g.Predict(nil, x, i, cond), i)
		} else {
			x = g.Clean(x, g.Predict(nil, x, i, cond), i)
		}
		picture := Picture(g, x)
		loss := ReduceAllMean(Square(Sub(picture, target)))
		return []*Node{picture, loss, Gradient(loss, start)[0]}
	})
	require.NoError(t, err)
	defer program.Finalize()
	start, want := r.start(t, "in.latents", g.Steps()), r.Tensor(t, key)
	var got golden.Results
	r.nearby(start, func(start *tensors.Tensor) bool {
		out, err := program.Call(Flatten(start, r.Tensor(t, "in.target"), cond)...)
		require.NoError(t, err)
		got = golden.Results{"image": out[0], "loss": out[1], "grad": out[2]}
		return golden.Close(r.piece(out[2]), tensors.MustCopyFlatData[float32](want), r.GradientTolerance) == nil
	})
	return got
}

// nearby calls f with latents and, as long as it is not content, with others that differ
// in the last digits, if the fixture has kinks.
func (r *Reference) nearby(latents *tensors.Tensor, f func(latents *tensors.Tensor) bool) {
	if f(latents) || !r.Kinks {
		return
	}
	for _, by := range []float32{3e-7, -3e-7, 1e-6, -1e-6} {
		values := tensors.MustCopyFlatData[float32](latents)
		for k := range values {
			values[k] *= 1 + by
		}
		if f(tensors.FromFlatDataAndDimensions(values, latents.Shape().Dimensions...)) {
			return
		}
	}
}
