package sana

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/lora"
)

// sampler runs a generator step by step.
type sampler struct {
	g    *Generator
	step *model.Exec
}

func (r *reference) sampler(t *testing.T, g *Generator, a *lora.Adapter) *sampler {
	s := &sampler{g: g}
	conds := len(r.cond(t, g))
	var err error
	s.step, err = model.NewExec(r.rt.Backend, r.rt.Store, func(_ *model.Scope, in []*Node) []*Node {
		var delta *lora.Delta
		latents, previous, i, cond, rest := in[0], in[1], in[2], in[3:3+conds], in[3+conds:]
		if a != nil {
			delta = a.Delta(rest[1:], rest[0])
		}
		prediction := g.Predict(delta, latents, i, cond)
		return []*Node{g.StepAfter(latents, prediction, previous, i), g.Clean(latents, prediction, i)}
	})
	require.NoError(t, err)
	t.Cleanup(s.step.Finalize)
	return s
}

// picture decodes latents: by one program for all generators of the fixture, which
// have the same decoder, as that takes long to compile.
func (r *reference) picture(t *testing.T, g *Generator, latents *tensors.Tensor) []float32 {
	if r.decode == nil {
		var err error
		r.decode, err = model.NewExec(r.rt.Backend, r.rt.Store, func(_ *model.Scope, in []*Node) []*Node {
			return []*Node{pictureOf(g, in[0])}
		})
		require.NoError(t, err)
	}
	out, err := r.decode.Call(latents)
	require.NoError(t, err)
	return tensors.MustCopyFlatData[float32](out[0])
}

// denoise returns the latents after every step up to end. adapted are weight and
// parameters of the sampler's adapter, if it has one.
func (s *sampler) denoise(t *testing.T, r *reference, latents *tensors.Tensor, end int, adapted ...any) (after []*tensors.Tensor) {
	state := []*tensors.Tensor{latents, latents}
	for i := range end {
		var err error
		state, err = s.step.Call(flatten(state, int32(i), r.cond(t, s.g), flatten(adapted...))...)
		require.NoError(t, err)
		after = append(after, state[0])
	}
	return after
}

// run returns the latents after every step and the picture.
func (s *sampler) run(t *testing.T, r *reference, adapted ...any) (latents []*tensors.Tensor, picture []float32) {
	latents = s.denoise(t, r, r.Tensor(t, "in.latents"), s.g.Steps(), adapted...)
	return latents, r.picture(t, s.g, latents[len(latents)-1])
}

// testSampling compares full samplings: latents after every step, and pictures.
func (r *reference) testSampling(t *testing.T) {
	runs := map[[2]string]bool{}
	for _, key := range r.Keys() {
		if parts := strings.Split(key, "."); parts[0] == "sample" {
			runs[[2]string{parts[1], parts[2]}] = true
		}
	}
	require.NotEmpty(t, runs)
	for run := range runs {
		t.Run(run[0]+"."+run[1], func(t *testing.T) {
			var steps, shift int
			require.True(t, scan(run[1], "n%d", &steps))
			o := r.paper(steps, r.about.Spec.Guidance)
			switch {
			case run[0] == "ref":
			case scan(run[0], "euler_shift%d_chi", &shift):
				o.Shift, o.Instruction = float64(shift), nil
			case run[0] == "dpm_chi": // all as the pipeline has it
				o = Options{Steps: steps, Guidance: o.Guidance}
			default:
				require.Fail(t, "unknown sampling")
			}
			g := r.open(t, o)
			latents, picture := r.sampler(t, g, nil).run(t, r)
			r.compareSampling(t, "sample."+run[0]+"."+run[1]+".", g, latents, picture)
		})
	}
}

func (r *reference) compareSampling(t *testing.T, prefix string, g *Generator, latents []*tensors.Tensor, picture []float32) {
	for _, key := range r.Keys() {
		part, ok := strings.CutPrefix(key, prefix)
		if !ok {
			continue
		}
		var after int
		switch {
		case part == "sched_timesteps":
			r.Compare(t, key, g.schedule.times[:g.Steps()], 1.2e-7)
		case part == "sched_sigmas":
			r.Compare(t, key, append(append([]float32{}, g.schedule.sigmas[:g.Steps()]...), g.schedule.next[g.Steps()-1]), 1.2e-7)
		case part == "image_raw":
			r.Compare(t, key, picture, tolerance)
		case part == "image01":
			r.Compare(t, key, clamped(picture), tolerance)
		default:
			require.True(t, scan(part, "latents_after%d", &after), key)
			r.Compare(t, key, tensors.MustCopyFlatData[float32](latents[after-1]), tolerance)
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

// testLatentGradients compares gradients with respect to the start noise: through
// one clean estimate, and through two steps of the sampler.
func (r *reference) testLatentGradients(t *testing.T) {
	for name, steps := range map[string]int{"x0": r.about.Spec.Steps, "unroll2": 2} {
		t.Run(name, func(t *testing.T) {
			g := r.open(t, r.paper(steps, r.about.Spec.TrainGuidance))
			prefix := "latgrad." + name + "."
			if name == "unroll2" {
				r.Compare(t, prefix+"timesteps", g.schedule.times[:2], 1e-6)
			}
			got := golden.Run(t, r.rt, func(p *nn.Probe, in []*Node) {
				start, target, cond := in[0], in[1], in[2:]
				x, i := start, Const(start.Graph(), int32(0))
				if name == "x0" {
					x = g.Clean(x, g.Predict(nil, x, i, cond), i)
				} else {
					x = g.Step(x, g.Predict(nil, x, i, cond), i)
					i = OnePlus(i)
					x = g.Step(x, g.Predict(nil, x, i, cond), i)
				}
				picture := p.See("image", pictureOf(g, x))
				loss := p.See("loss", ReduceAllMean(Square(Sub(picture, target))))
				p.See("grad", Gradient(loss, start)[0])
			}, flatten(r.Tensor(t, "in.latents"), r.Tensor(t, "in.target"), r.cond(t, g))...)
			if r.Has(prefix + "image") { // the project's own copy is trimmed
				r.Compare(t, prefix+"image", got.Floats(t, "image"), tolerance)
			}
			r.Compare(t, prefix+"loss", got.Floats(t, "loss"), tolerance)
			r.Compare(t, prefix+"grad", got.Floats(t, "grad"), gradientTolerance)
		})
	}
}

// sampledSteps is the number of steps of the pictures that the fixture made with
// adapters: that of its one sampling whose picture is also stored in 8-bit range.
func (r *reference) sampledSteps(t *testing.T) int {
	for _, key := range r.Keys() {
		var steps int
		if scan(strings.ReplaceAll(key, ".", " "), "sample ref n%d image01", &steps) {
			return steps
		}
	}
	require.Fail(t, fmt.Sprint("no sample.ref.n*.image01 in ", r.Name))
	return 0
}
