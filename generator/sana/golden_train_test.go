package sana

import (
	"fmt"
	"math"
	"slices"
	"strconv"
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

	// From this learning rate on the fixtures hold no more than the losses: three
	// updates are chaotic then, and rounding moves even the losses.
	fastRate      = 1e-3
	fastTolerance = 2e-3

	// Of the gradient's norm in the second mode: where a query of linear attention is
	// nearly zero, PyTorch's own moves by 0.5 % if the weights move by 3e-7.
	kinkTolerance = 5e-3
)

// trainer makes updates of an adapter, one at a time, and shows everything in
// between. (Distill makes the same ones and shows nothing: see scripted.)
//
// The transformer's time and the level of the clean estimate come from the
// fixture: the paper's reference takes them from another grid than its sampler's.
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

// testTraining compares the fixtures' trainings by a toy loss: the mean squared
// distance of the clean estimate's picture from a target, scaled.
func (r *reference) testTraining(t *testing.T) {
	tr := r.trainer(t)
	for mode, keys := range r.modes() {
		t.Run(mode, func(t *testing.T) {
			for lr := range r.rates(keys) {
				t.Run("lr"+lr, func(t *testing.T) { r.testRate(t, tr, mode, lr) })
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
// What is about no rate is about the model's own.
func (r *reference) rates(keys []string) map[string]bool {
	found := map[string]bool{}
	for _, key := range keys {
		if strings.HasPrefix(key, "step") {
			found[strconv.FormatFloat(r.about.Spec.LearningRate, 'g', -1, 64)] = true
		}
		if rest, ok := strings.CutPrefix(key, "lr"); ok {
			for _, end := range []string{".after", ".step"} {
				if lr, _, ok := strings.Cut(rest, end); ok {
					found[lr] = true
				}
			}
		}
	}
	return found
}

func (r *reference) trainer(t *testing.T) *trainer {
	tr := &trainer{g: r.open(t, r.paper(r.about.Spec.Steps, r.about.Spec.TrainGuidance))}
	tr.adapter = r.adapter(t, tr.g)
	tr.sampler = r.sampler(t, tr.g, tr.adapter)
	conds := len(r.cond(t, tr.g))
	var err error
	tr.update, err = model.NewExec(r.rt.Backend, r.rt.Store, func(_ *model.Scope, in []*Node) []*Node {
		return tr.build(in[:6], in[6:6+conds], in[6+conds:], r.about.LossScale)
	})
	require.NoError(t, err)
	tr.renoise, err = model.NewExec(r.rt.Backend, r.rt.Store, func(_ *model.Scope, in []*Node) []*Node {
		return []*Node{tr.g.Noise(in[0], in[1], in[2])}
	})
	require.NoError(t, err)
	t.Cleanup(func() { tr.update.Finalize(); tr.renoise.Finalize() })
	return tr
}

// build is the graph of one update: latents, time, level, target, number and rate;
// conditions; parameters and moments.
func (tr *trainer) build(in, cond, state []*Node, scale float64) []*Node {
	latents, time, sigma, target, number, rate := in[0], in[1], in[2], in[3], in[4], in[5]
	n := len(state) / 3
	params, m, v := state[:n], state[n:2*n], state[2*n:]
	delta := tr.adapter.Delta(params, Const(latents.Graph(), float32(trainWeight)))

	prediction := tr.g.predict(nil, delta, latents, Reshape(time, 1), cond)
	clean := Sub(latents, Mul(sigma, prediction))
	picture := pictureOf(tr.g, clean)
	loss := MulScalar(ReduceAllMean(Square(Sub(picture, target))), scale)
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

// step makes update k at latents of a level.
func (tr *trainer) step(t *testing.T, r *reference, k int, latents *tensors.Tensor, time, sigma float32, rate float64) shown {
	out, err := tr.update.Call(flatten(latents, time, sigma, r.Tensor(t, "in.target"), float32(k+1), float32(rate),
		r.cond(t, tr.g), tr.params, tr.m, tr.v)...)
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

// latentsAt makes the latents of update k without gradient, and compares the index
// of its noise level with the fixture's.
func (tr *trainer) latentsAt(t *testing.T, r *reference, mode string, k int) *tensors.Tensor {
	noise, index := r.Tensor(t, fmt.Sprintf("in.train.noise%d", k)), r.about.Spec.TrainSteps[k]
	end := index
	if mode == "full_intended" {
		index, end = r.level(t, k), tr.g.Steps()
	}
	require.Equal(t, []int32{int32(index)}, r.Ints(t, fmt.Sprintf("train.%s.step%d.i", mode, k)))
	after := append([]*tensors.Tensor{noise}, tr.sampler.denoise(t, r, noise, end, float32(trainWeight), tr.params)...)
	latents := after[len(after)-1]
	if mode != "full_intended" {
		return latents
	}
	out, err := tr.renoise.Call(latents, r.Tensor(t, fmt.Sprintf("in.train.renoise%d", k)), int32(tr.g.Steps()+index))
	require.NoError(t, err)
	return out[0]
}

// level is the one of the training's that update k of the second mode draws.
func (r *reference) level(t *testing.T, k int) int {
	u, _ := r.Floats(t, fmt.Sprintf("in.train.u_full%d", k))
	return int(u[0] * 1000)
}

// testRate compares a training of one mode at one learning rate.
func (r *reference) testRate(t *testing.T, tr *trainer, mode, lr string) {
	require.Contains(t, []string{"subsample", "full_intended"}, mode)
	rate := number(lr)
	start := r.adapter(t, tr.g)
	tr.reset(start)
	prefix := "train." + mode + "."
	for k := range trainUpdates {
		at := fmt.Sprintf("%sstep%d.", prefix, k)
		time, _ := r.Floats(t, at+"t")
		sigma, _ := r.Floats(t, at+"sigma")
		latents := tr.latentsAt(t, r, mode, k)
		if rate < fastRate { // of this rate the fixture holds the latents
			r.Compare(t, at+"x_t", tensors.MustCopyFlatData[float32](latents), tolerance)
			latents = r.Tensor(t, at+"x_t")
		}
		s := tr.step(t, r, k, latents, time[0], sigma[0], rate)
		if rate >= fastRate {
			r.Compare(t, fmt.Sprintf("%slr%s.step%d.loss", prefix, lr, k), s.loss, fastTolerance)
		} else {
			r.compareStep(t, at, tr.g, s, mode)
		}
		if k == 0 {
			r.compareGradients(t, prefix+"grad/", start, s)
		}
		r.compareAdapters(t, fmt.Sprintf("%slr%s.after%d/", prefix, lr, k+1), start, tr.params, rate, k == 0)
	}
}

// compareStep compares everything within one update.
func (r *reference) compareStep(t *testing.T, prefix string, g *Generator, s shown, mode string) {
	normTolerance := gradientTolerance
	if mode == "full_intended" { // whose levels are our own
		normTolerance = kinkTolerance
		level := g.Steps() + int(r.Ints(t, prefix+"i")[0])
		r.Compare(t, prefix+"t", g.schedule.times[level:level+1], 1.2e-7)
		r.Compare(t, prefix+"sigma", g.schedule.sigmas[level:level+1], 1.2e-7)
	}
	r.Compare(t, prefix+"model_pred", s.prediction, tolerance)
	r.Compare(t, prefix+"x0_latents", s.clean, tolerance)
	if r.Has(prefix + "x0_image") { // the project's own copy is trimmed
		r.Compare(t, prefix+"x0_image", s.picture, tolerance)
	}
	r.Compare(t, prefix+"loss", s.loss, tolerance)
	r.Compare(t, prefix+"grad_norm", s.norm, normTolerance)
}

// compareGradients compares those of the first update.
func (r *reference) compareGradients(t *testing.T, prefix string, start *lora.Adapter, s shown) {
	if !r.hasAny(prefix) {
		return
	}
	for j, want := range r.tensorsOf(t, prefix, start) {
		require.NoError(t, closeTo(s.grads[j], want, gradientTolerance), "gradient of %s", start.Layers()[j/2])
	}
}

// hasAny says whether the fixture has keys with a prefix.
func (r *reference) hasAny(prefix string) bool {
	return slices.ContainsFunc(r.Keys(), func(key string) bool { return strings.HasPrefix(key, prefix) })
}

// compareAdapters compares how far each number of the adapter moved, in units of
// the learning rate: Adam's first steps are as long as the rate whatever the
// gradient, so weights compared as they are would pass without any training. A
// gradient of nearly zero may have the other sign by rounding.
func (r *reference) compareAdapters(t *testing.T, prefix string, start *lora.Adapter, params []*tensors.Tensor, rate float64, first bool) {
	if !r.hasAny(prefix) {
		return
	}
	before, want := start.Params(), r.tensorsOf(t, prefix, start)
	if rate >= fastRate && !first {
		return
	}
	total, off := 0, 0
	for j := range params {
		from, to, got := tensors.MustCopyFlatData[float32](before[j]), tensors.MustCopyFlatData[float32](want[j]), tensors.MustCopyFlatData[float32](params[j])
		require.Len(t, got, len(to))
		for i := range to {
			difference := math.Abs(float64(got[i]-from[i])-float64(to[i]-from[i])) / rate
			require.False(t, math.IsNaN(difference))
			if difference > 0.02 {
				off++
			}
			total++
		}
	}
	t.Logf("%s: %d of %d numbers moved otherwise", prefix, off, total)
	require.LessOrEqual(t, float64(off), 0.005*float64(total), "%s: moved otherwise", prefix)
}
