package pipelinetest

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/optim"
	"github.com/dualprocess/dualprocess-go/lora"
)

// What all fixtures train with.
const (
	TrainWeight  = 5   // of the adapter
	TrainUpdates = 3   // that the fixtures hold
	clip         = 1.0 // of the gradient's norm
)

// Trainer makes updates of an adapter, one at a time, by a toy loss: the mean squared
// distance of the clean estimate's picture from a target, scaled. It shows everything
// in between. (Distill makes the same ones and shows nothing.)
type Trainer struct {
	*Sampler
	adapter *lora.Adapter // its shapes
	how     Training
	update  *model.Exec
	renoise *model.Exec

	Params []*tensors.Tensor // of the adapter, after the latest update
	m, v   []*tensors.Tensor
}

// Training is how a Trainer computes the loss.
type Training struct {
	Scale float64
	// At is the number of inputs that say where on the way from noise to picture
	// the latents are.
	At int
	// Clean predicts at such inputs, and makes the clean estimate.
	Clean func(delta *lora.Delta, latents *Node, at, cond []*Node) (prediction, clean *Node)
}

// ByIndex is the training of a generator by its own methods, with the index of a
// step or level as the only input.
func ByIndex(g Generator, scale float64) Training {
	return Training{Scale: scale, At: 1, Clean: func(delta *lora.Delta, latents *Node, at, cond []*Node) (prediction, clean *Node) {
		prediction = g.Predict(delta, latents, at[0], cond)
		return prediction, g.Clean(latents, prediction, at[0])
	}}
}

// Update is what one update computed.
type Update struct {
	Prediction, Clean, Picture, Loss, Norm []float32
	grads                                  [][]float32
}

// Trainer compiles an update of the fixture's start adapter.
func (r *Reference) Trainer(t *testing.T, g Generator, cond dualprocess.Inputs, how Training) *Trainer {
	a := r.Adapter(t, g, cond)
	tr := &Trainer{Sampler: r.Sampler(t, g, cond, a), adapter: a, how: how}
	var err error
	tr.update, err = graphs.NewExecutor(r.Runtime, func(in []*Node) []*Node { return tr.build(in) })
	require.NoError(t, err)
	tr.renoise, err = graphs.NewExecutor(r.Runtime, func(in []*Node) []*Node {
		return []*Node{g.Noise(in[0], in[1], in[2])}
	})
	require.NoError(t, err)
	t.Cleanup(func() { tr.update.Finalize(); tr.renoise.Finalize() })
	return tr
}

// build is the graph of one update: latents, target, number, rate; where the latents
// are; conditions; parameters and moments.
func (tr *Trainer) build(in []*Node) []*Node {
	latents, target, number, rate, in := in[0], in[1], in[2], in[3], in[4:]
	at, in := in[:tr.how.At], in[tr.how.At:]
	cond, state := in[:len(tr.cond)], in[len(tr.cond):]
	n := len(state) / 3
	params, m, v := state[:n], state[n:2*n], state[2*n:]
	delta := tr.adapter.Delta(params, Const(latents.Graph(), float32(TrainWeight)))

	prediction, clean := tr.how.Clean(delta, latents, at, cond)
	picture := Picture(tr.g, clean)
	loss := MulScalar(ReduceAllMean(Square(Sub(picture, target))), tr.how.Scale)
	grads := Gradient(loss, params...)
	clipped, norm := optim.ClipGlobalNorm(grads, clip)
	newParams, newM, newV := optim.AdamW{}.Update(params, clipped, m, v, number, rate)
	return slices.Concat([]*Node{prediction, clean, picture, loss, norm}, grads, newParams, newM, newV)
}

// Reset goes back to the fixture's start adapter and returns it.
func (tr *Trainer) Reset(t *testing.T) *lora.Adapter {
	start := tr.r.Adapter(t, tr.g, tr.cond)
	tr.Params, tr.m, tr.v = start.Params(), nil, nil
	for _, p := range tr.Params {
		tr.m, tr.v = append(tr.m, tensors.FromShape(p.Shape())), append(tr.v, tensors.FromShape(p.Shape()))
	}
	return start
}

// Update makes update k.
func (tr *Trainer) Update(t *testing.T, k int, latents *tensors.Tensor, rate float64, at ...any) Update {
	require.Len(t, at, tr.how.At)
	out, err := tr.update.Call(Flatten(latents, tr.r.Tensor(t, "in.target"), float32(k+1), float32(rate),
		at, tr.cond, tr.Params, tr.m, tr.v)...)
	require.NoError(t, err)
	values := func(x *tensors.Tensor) []float32 { return tensors.MustCopyFlatData[float32](x) }
	u := Update{tr.r.Shown(out[0]), tr.r.Shown(out[1]), values(out[2]), values(out[3]), values(out[4]), nil}
	out = out[5:]
	n := len(tr.Params)
	for _, g := range out[:n] {
		u.grads = append(u.grads, values(g))
	}
	tr.Params, tr.m, tr.v = out[n:2*n], out[2*n:3*n], out[3*n:]
	return u
}

// Latents makes the latents that update k sees after some steps, without gradient.
func (tr *Trainer) Latents(t *testing.T, k, end int) *tensors.Tensor {
	latents := tr.r.start(t, fmt.Sprintf("in.train.noise%d", k), tr.g.Steps())
	if after := tr.Denoise(t, latents, end, TrainWeight, tr.Params); len(after) > 0 {
		return after[len(after)-1]
	}
	return latents
}

// Renoised makes the latents that update k sees after all steps and going back to a
// level, and the generator's index of that level.
func (tr *Trainer) Renoised(t *testing.T, k, level int) (latents *tensors.Tensor, i int) {
	i = tr.g.Steps() + level
	out, err := tr.renoise.Call(tr.Latents(t, k, tr.g.Steps()), tr.r.start(t, fmt.Sprintf("in.train.renoise%d", k), tr.g.Steps()), int32(i))
	require.NoError(t, err)
	return out[0], i
}

// Drawn is the one of the reference's 1000 levels that update k draws where noise is
// added again.
func (r *Reference) Drawn(t *testing.T, k int) int {
	u, _ := r.Floats(t, fmt.Sprintf("in.train.u_full%d", k))
	return int(u[0] * 1000)
}

// Modes groups the keys of trainings by their mode, without prefix. The essence is one
// mode, unless another backend leaves them all to this one.
func (r *Reference) Modes() map[string][]string {
	modes := map[string][]string{}
	for _, key := range r.Keys() {
		if rest, ok := strings.CutPrefix(key, "train."); ok {
			mode, part, _ := strings.Cut(rest, ".")
			modes[mode] = append(modes[mode], part)
		}
	}
	if r.part == golden.Essence && !slices.Contains(r.long, "train.") {
		last := slices.Max(slices.Collect(maps.Keys(modes))) // of the names, subsample: with all gradients
		modes = map[string][]string{last: modes[last]}
	}
	return modes
}

// Rates are the learning rates of which a mode's keys hold one of some results, such
// as "after" or "step", as they are written in the keys.
func Rates(keys []string, results ...string) map[string]bool {
	found := map[string]bool{}
	for _, key := range keys {
		rest, ok := strings.CutPrefix(key, "lr")
		if !ok {
			continue
		}
		for _, result := range results {
			if lr, _, ok := strings.Cut(rest, "."+result); ok {
				found[lr] = true
			}
		}
	}
	return found
}

// CompareUpdate compares everything within one update but for the gradient's norm,
// which not all fixtures know as well.
func (r *Reference) CompareUpdate(t *testing.T, prefix string, u Update) {
	r.Compare(t, prefix+"model_pred", u.Prediction, r.Tolerance)
	r.Compare(t, prefix+"x0_latents", u.Clean, r.Tolerance)
	r.comparePicture(t, prefix+"x0_image", u.Picture)
	r.Compare(t, prefix+"loss", u.Loss, r.Tolerance)
}

// CompareGradients compares those of an update, by the adapter's parameters.
func (r *Reference) CompareGradients(t *testing.T, prefix string, a *lora.Adapter, u Update) {
	require.NoError(t, r.gradientError(t, prefix, a, u))
}

func (r *Reference) gradientError(t *testing.T, prefix string, a *lora.Adapter, u Update) error {
	for j, want := range r.tensorsOf(t, prefix, a) {
		if err := golden.Close(u.grads[j], tensors.MustCopyFlatData[float32](want), r.GradientTolerance); err != nil {
			return fmt.Errorf("gradient of %s: %w", a.Layers()[j/2], err)
		}
	}
	return nil
}

// UpdateNearby is Update k of a mode, at the model's own learning rate and from the start
// adapter a: from latents nearby where the fixture has a kink at these, so that its
// gradient is another.
func (tr *Trainer) UpdateNearby(t *testing.T, mode string, k int, latents *tensors.Tensor, a *lora.Adapter, rate float64, at ...any) (u Update) {
	params, m, v, r := tr.Params, tr.m, tr.v, tr.r
	prefix := "train." + mode + "."
	norm, _ := r.Floats(t, fmt.Sprintf("%sstep%d.grad_norm", prefix, k))
	r.nearby(latents, func(latents *tensors.Tensor) bool {
		tr.Params, tr.m, tr.v = params, m, v
		u = tr.Update(t, k, latents, rate, at...)
		err := golden.Close(u.Norm, norm, r.GradientTolerance)
		if k == 0 && r.HasAny(prefix+"grad/") {
			err = errors.Join(err, r.gradientError(t, prefix+"grad/", a, u))
		}
		return err == nil
	})
	return u
}

// Moves says how the numbers of an adapter moved in a training, compared with the
// reference's.
type Moves struct {
	Total int
	Off   int     // that moved otherwise, by more than a fiftieth of the learning rate
	Worst float64 // difference
}

// Moves compares how far each number of the adapter moved, in units of the learning
// rate: Adam's first steps are as long as the rate whatever the gradient, so weights
// compared as they are would pass without any training. A gradient of nearly zero may
// have the other sign by rounding, so some may be off.
func (r *Reference) Moves(t *testing.T, prefix string, start *lora.Adapter, params []*tensors.Tensor, rate float64) Moves {
	want := r.tensorsOf(t, prefix, start)
	var m Moves
	for j := range params {
		to, got := tensors.MustCopyFlatData[float32](want[j]), tensors.MustCopyFlatData[float32](params[j])
		require.Len(t, got, len(to))
		for i := range to {
			difference := math.Abs(float64(got[i]) - float64(to[i]))
			require.False(t, math.IsNaN(difference))
			m.Total, m.Worst = m.Total+1, max(m.Worst, difference)
			if difference/rate > 0.02 {
				m.Off++
			}
		}
	}
	t.Logf("%s: %d of %d numbers moved otherwise", prefix, m.Off, m.Total)
	return m
}

// Require fails the test if more than a share of the numbers moved otherwise.
func (m Moves) Require(t *testing.T, share float64) {
	t.Helper()
	require.LessOrEqual(t, float64(m.Off), share*float64(m.Total), "moved otherwise")
}
