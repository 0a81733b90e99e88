package flux

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/optim"
	"github.com/dualprocess/dualprocess-go/lora"
)

const (
	trainWeight  = 5   // of the adapter, in all fixtures
	trainUpdates = 3   // that the fixtures hold
	clip         = 1.0 // of the gradient's norm
)

// trainer makes updates of an adapter, one at a time, and shows everything in
// between. (Distill makes the same ones and shows nothing: see scripted.)
type trainer struct {
	g            *Generator
	adapter      *lora.Adapter // its shapes
	update       *model.Exec
	renoise      *model.Exec
	sampler      *sampler
	params, m, v []*tensors.Tensor
}

// shown is what one update computed.
type shown struct {
	prediction, clean, picture, loss, norm []float32
	grads                                  [][]float32
}

// testTraining compares the fixtures' trainings by a toy loss: 20 times the mean
// squared distance of the clean estimate's picture from a target.
func (r *reference) testTraining(t *testing.T) {
	trainers := map[int]*trainer{}
	whole := t // the trainers live as long as this
	for mode, keys := range r.modes() {
		t.Run(mode, func(t *testing.T) {
			steps := r.trainSteps(mode)
			if trainers[steps] == nil {
				trainers[steps] = r.trainer(whole, steps)
			}
			if mode == "full_asrun" {
				r.testAsRun(t, trainers[steps])
				return
			}
			for lr := range rates(keys) {
				t.Run("lr"+lr, func(t *testing.T) { r.testRate(t, trainers[steps], mode, lr) })
			}
		})
	}
}

// modes groups the keys of trainings by their mode, without prefix.
func (r *reference) modes() map[string][]string {
	modes := map[string][]string{}
	for _, key := range r.Keys() {
		if rest, ok := strings.CutPrefix(key, "train."); ok {
			mode, part, _ := strings.Cut(rest, ".")
			modes[mode] = append(modes[mode], part)
		}
	}
	return modes
}

// rates are the learning rates of which there are results, as written in the keys.
func rates(keys []string) map[string]bool {
	found := map[string]bool{}
	for _, key := range keys {
		if rest, ok := strings.CutPrefix(key, "lr"); ok {
			if lr, _, ok := strings.Cut(rest, ".after"); ok {
				found[lr] = true
			}
		}
	}
	return found
}

// trainSteps is the number of steps of the sampler in a mode.
func (r *reference) trainSteps(mode string) int {
	if mode == "subsample4" {
		return 4
	}
	return r.about.Spec.Steps
}

func (r *reference) trainer(t *testing.T, steps int) *trainer {
	tr := &trainer{g: r.open(t, Options{Steps: steps, StaticShift: true, Guidance: r.guided(t, r.about.Spec.TrainGuidance)})}
	tr.adapter = r.adapter(t, tr.g)
	tr.sampler = r.sampler(t, tr.g, tr.adapter)
	var err error
	tr.update, err = model.NewExec(r.rt.Backend, r.rt.Store, func(_ *model.Scope, in []*Node) []*Node { return tr.build(in) })
	require.NoError(t, err)
	tr.renoise, err = model.NewExec(r.rt.Backend, r.rt.Store, func(_ *model.Scope, in []*Node) []*Node {
		return []*Node{tr.g.Noise(in[0], in[1], in[2])}
	})
	require.NoError(t, err)
	t.Cleanup(func() { tr.update.Finalize(); tr.renoise.Finalize() })
	return tr
}

// build is the graph of one update: latents, i, target, both conditions, number,
// rate, parameters, moments.
func (tr *trainer) build(in []*Node) []*Node {
	latents, i, target, cond, number, rate := in[0], in[1], in[2], in[3:5], in[5], in[6]
	n := (len(in) - 7) / 3
	params, m, v := in[7:7+n], in[7+n:7+2*n], in[7+2*n:]
	delta := tr.adapter.Delta(params, Const(latents.Graph(), float32(trainWeight)))

	prediction := tr.g.Predict(delta, latents, i, cond)
	clean := tr.g.Clean(latents, prediction, i)
	picture := pictureOf(tr.g, clean)
	loss := MulScalar(ReduceAllMean(Square(Sub(picture, target))), 20)
	grads := Gradient(loss, params...)
	clipped, norm := optim.ClipGlobalNorm(grads, clip)
	newParams, newM, newV := optim.AdamW{}.Update(params, clipped, m, v, number, rate)
	return slices.Concat([]*Node{prediction, clean, picture, loss, norm}, grads, newParams, newM, newV)
}

// reset starts from an adapter.
func (tr *trainer) reset(a *lora.Adapter) {
	tr.params, tr.m, tr.v = a.Params(), nil, nil
	for _, p := range tr.params {
		tr.m, tr.v = append(tr.m, tensors.FromShape(p.Shape())), append(tr.v, tensors.FromShape(p.Shape()))
	}
}

// step makes update k at latents of step i.
func (tr *trainer) step(t *testing.T, r *reference, k int, latents *tensors.Tensor, i int, rate float64) shown {
	in := []any{latents, int32(i), r.Tensor(t, "in.target"), r.cond[0], r.cond[1], float32(k + 1), float32(rate)}
	for _, list := range [][]*tensors.Tensor{tr.params, tr.m, tr.v} {
		for _, x := range list {
			in = append(in, x)
		}
	}
	out, err := tr.update.Call(in...)
	require.NoError(t, err)
	values := func(x *tensors.Tensor) []float32 { return tensors.MustCopyFlatData[float32](x) }
	s := shown{values(out[0]), values(out[1]), values(out[2]), values(out[3]), values(out[4]), nil}
	out = out[5:]
	n := len(tr.params)
	for _, g := range out[:n] {
		s.grads = append(s.grads, values(g))
	}
	tr.params, tr.m, tr.v = out[n:2*n], out[2*n:3*n], out[3*n:]
	return s
}

// latentsAt makes the latents of update k without gradient, and the index that
// our generator has for their noise level.
func (tr *trainer) latentsAt(t *testing.T, r *reference, mode string, k int) (*tensors.Tensor, int) {
	steps := map[string][]int{"subsample": r.about.Spec.TrainSteps, "subsample4": r.about.Spec.Train4Steps}[mode]
	noise := r.Tensor(t, fmt.Sprintf("in.train.noise%d", k))
	if steps != nil {
		return tr.denoise(t, r, noise, steps[k]), steps[k]
	}
	i := tr.g.Steps() + r.level(t, k)
	out, err := tr.renoise.Call(tr.denoise(t, r, noise, tr.g.Steps()), r.Tensor(t, fmt.Sprintf("in.train.renoise%d", k)), int32(i))
	require.NoError(t, err)
	return out[0], i
}

// level is the one of the 1000 that update k of the second mode draws.
func (r *reference) level(t *testing.T, k int) int {
	u, _ := r.Floats(t, fmt.Sprintf("in.train.u_full%d", k))
	return int(u[0] * 1000)
}

func (tr *trainer) denoise(t *testing.T, r *reference, latents *tensors.Tensor, end int) *tensors.Tensor {
	for i := range end {
		in := []any{latents, int32(i), r.cond[0], r.cond[1], float32(trainWeight)}
		for _, p := range tr.params {
			in = append(in, p)
		}
		out, err := tr.sampler.step.Call(in...)
		require.NoError(t, err)
		latents = out[0]
	}
	return latents
}

// testRate compares a training of one mode at one learning rate.
func (r *reference) testRate(t *testing.T, tr *trainer, mode, lr string) {
	rate := number(lr)
	start := r.adapter(t, tr.g)
	tr.reset(start)
	prefix := "train." + mode + "."
	detailed := rate < 1e-3 // of the reference's rate the fixtures hold everything
	for k := range trainUpdates {
		latents, i := tr.latentsAt(t, r, mode, k)
		s := tr.step(t, r, k, latents, i, rate)
		if detailed {
			r.compareStep(t, fmt.Sprintf("%sstep%d.", prefix, k), tr.g, latents, i, s)
		} else {
			r.Compare(t, fmt.Sprintf("%slr%s.step%d.loss", prefix, lr, k), s.loss, 1e-4)
		}
		if k == 0 && detailed {
			for j, want := range r.tensorsOf(t, prefix+"grad/", start) {
				require.NoError(t, closeTo(s.grads[j], want, gradientTolerance), "gradient of %s", start.Layers()[j/2])
			}
		}
		if k == 0 || k == trainUpdates-1 {
			r.compareAdapters(t, fmt.Sprintf("%slr%s.after%d/", prefix, lr, k+1), start, tr.params, rate)
		}
	}
}

// compareStep compares everything within one update.
func (r *reference) compareStep(t *testing.T, prefix string, g *Generator, latents *tensors.Tensor, i int, s shown) {
	r.Compare(t, prefix+"x_t", tensors.MustCopyFlatData[float32](latents), tolerance)
	r.Compare(t, prefix+"t", g.schedule.times[i:i+1], 1e-6)
	r.Compare(t, prefix+"sigma", g.schedule.sigmas[i:i+1], 1e-6)
	index := i
	if i >= g.Steps() {
		index -= g.Steps()
	}
	require.Equal(t, []int32{int32(index)}, r.Ints(t, prefix+"i"))
	r.Compare(t, prefix+"model_pred", s.prediction, tolerance)
	r.Compare(t, prefix+"x0_latents", s.clean, tolerance)
	r.Compare(t, prefix+"x0_image", s.picture, tolerance)
	r.Compare(t, prefix+"loss", s.loss, tolerance)
	r.Compare(t, prefix+"grad_norm", s.norm, gradientTolerance)
}

// testAsRun repeats what the reference really does in its second mode: it adds no
// noise, yet takes the step of a drawn time. Only its numbers are wanted of us,
// for its latents.
func (r *reference) testAsRun(t *testing.T, tr *trainer) {
	const prefix = "train.full_asrun.step0."
	tr.reset(r.adapter(t, tr.g))
	latents := tr.denoise(t, r, r.Tensor(t, "in.train.noise0"), tr.g.Steps())
	r.Compare(t, prefix+"x_t", tensors.MustCopyFlatData[float32](latents), tolerance)
	level := int(r.Ints(t, prefix+"i")[0])
	require.Equal(t, r.level(t, 0), level)
	r.Compare(t, prefix+"t", tr.g.schedule.times[tr.g.Steps()+level:][:1], 1e-6)
	s := tr.step(t, r, 0, r.Tensor(t, prefix+"x_t"), tr.g.Steps()+level, 5e-5)
	r.Compare(t, prefix+"loss", s.loss, tolerance)
}

// compareAdapters compares how far each number of the adapter moved, in units of
// the learning rate: Adam's first steps are as long as the rate whatever the
// gradient, so weights compared as they are would pass without any training. A
// gradient of nearly zero may have the other sign by rounding.
func (r *reference) compareAdapters(t *testing.T, prefix string, start *lora.Adapter, params []*tensors.Tensor, rate float64) {
	before, want := start.Params(), r.tensorsOf(t, prefix, start)
	total, off, worst := 0, 0, 0.0
	for j := range params {
		from, to, got := tensors.MustCopyFlatData[float32](before[j]), tensors.MustCopyFlatData[float32](want[j]), tensors.MustCopyFlatData[float32](params[j])
		require.Len(t, got, len(to))
		for i := range to {
			moved, should := float64(got[i]-from[i])/rate, float64(to[i]-from[i])/rate
			difference := math.Abs(moved - should)
			require.False(t, math.IsNaN(difference))
			if difference > 0.02 {
				off++
			}
			total, worst = total+1, max(worst, math.Abs(float64(got[i]-to[i])))
		}
	}
	require.LessOrEqual(t, float64(off), 0.005*float64(total), "%s: moved otherwise", prefix)
	if rate >= 1e-3 {
		require.LessOrEqual(t, worst, 1e-3, prefix)
	}
}
