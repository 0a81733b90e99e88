package sana

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/pipeline/pipelinetest"
	"github.com/dualprocess/dualprocess-go/lora"
)

const (
	// From this learning rate on the fixtures hold no more than the losses: three
	// updates are chaotic then, and rounding moves even the losses.
	fastRate      = 1e-3
	fastTolerance = 2e-3

	// Of the gradient's norm in the second mode: where a query of linear attention is
	// nearly zero, PyTorch's own moves by 0.5 % if the weights move by 3e-7.
	kinkTolerance = 5e-3
)

// trainer makes the updates of a generator. The transformer's time and the level of
// the clean estimate come from the fixture: the paper's reference takes them from
// another grid than its sampler's.
type trainer struct {
	*pipelinetest.Trainer
	g *Generator
}

// testTraining compares the fixtures' trainings by a toy loss.
func (r *reference) testTraining(t *testing.T) {
	tr := r.trainer(t)
	for mode, keys := range r.Modes() {
		t.Run(mode, func(t *testing.T) {
			for lr := range r.rates(keys) {
				t.Run("lr"+lr, func(t *testing.T) { r.testRate(t, tr, mode, lr) })
			}
		})
	}
}

// rates are the learning rates of which there are results, as written in the keys.
// What is about no rate is about the model's own.
func (r *reference) rates(keys []string) map[string]bool {
	found := pipelinetest.Rates(keys, "after", "step")
	for _, key := range keys {
		if strings.HasPrefix(key, "step") {
			found[strconv.FormatFloat(r.About.Spec.LearningRate, 'g', -1, 64)] = true
		}
	}
	return found
}

func (r *reference) trainer(t *testing.T) *trainer {
	g := r.open(t, r.paper(r.About.Spec.Steps, r.About.Spec.TrainGuidance))
	how := pipelinetest.Training{
		Scale: r.About.LossScale, At: 2, // time and level
		Clean: func(delta *lora.Delta, latents *Node, at, cond []*Node) (prediction, clean *Node) {
			prediction = g.predict(nn.Pass{Delta: delta}, latents, Reshape(at[0], 1), cond)
			return prediction, Sub(latents, Mul(at[1], prediction))
		},
	}
	return &trainer{r.Trainer(t, g, r.cond(t, g), how), g}
}

// latentsAt makes the latents of update k without gradient, and compares the index
// of its noise level with the fixture's.
func (r *reference) latentsAt(t *testing.T, tr *trainer, mode string, k int) *tensors.Tensor {
	index := r.About.Spec.TrainSteps[k]
	if mode == "full_intended" {
		index = r.Drawn(t, k)
	}
	require.Equal(t, []int32{int32(index)}, r.Ints(t, fmt.Sprintf("train.%s.step%d.i", mode, k)))
	if mode != "full_intended" {
		return tr.Latents(t, k, index)
	}
	latents, _ := tr.Renoised(t, k, index)
	return latents
}

// testRate compares a training of one mode at one learning rate.
func (r *reference) testRate(t *testing.T, tr *trainer, mode, lr string) {
	require.Contains(t, []string{"subsample", "full_intended"}, mode)
	rate := pipelinetest.Number(lr)
	start := tr.Reset(t)
	prefix := "train." + mode + "."
	for k := range pipelinetest.TrainUpdates {
		at := fmt.Sprintf("%sstep%d.", prefix, k)
		time, _ := r.Floats(t, at+"t")
		sigma, _ := r.Floats(t, at+"sigma")
		latents := r.latentsAt(t, tr, mode, k)
		if rate < fastRate { // of this rate the fixture holds the latents
			r.Compare(t, at+"x_t", tensors.MustCopyFlatData[float32](latents), tolerance)
			latents = r.Tensor(t, at+"x_t")
		}
		if rate >= fastRate {
			u := tr.Update(t, k, latents, rate, time[0], sigma[0])
			r.Compare(t, fmt.Sprintf("%slr%s.step%d.loss", prefix, lr, k), u.Loss, fastTolerance)
			r.compareAdapters(t, fmt.Sprintf("%slr%s.after%d/", prefix, lr, k+1), start, tr.Params, rate, k == 0)
			continue
		}
		u := tr.UpdateNearby(t, mode, k, latents, start, rate, time[0], sigma[0])
		r.compareStep(t, at, tr.g, u, mode)
		if k == 0 && r.HasAny(prefix+"grad/") {
			r.CompareGradients(t, prefix+"grad/", start, u)
		}
		r.compareAdapters(t, fmt.Sprintf("%slr%s.after%d/", prefix, lr, k+1), start, tr.Params, rate, k == 0)
	}
}

// compareStep compares everything within one update.
func (r *reference) compareStep(t *testing.T, prefix string, g *Generator, u pipelinetest.Update, mode string) {
	normTolerance := gradientTolerance
	if mode == "full_intended" { // whose levels are our own
		normTolerance = kinkTolerance
		level := g.Steps() + int(r.Ints(t, prefix+"i")[0])
		r.Compare(t, prefix+"t", g.schedule.Times[level:level+1], 1.2e-7)
		r.Compare(t, prefix+"sigma", g.schedule.Sigmas[level:level+1], 1.2e-7)
	}
	r.CompareUpdate(t, prefix, u)
	r.Compare(t, prefix+"grad_norm", u.Norm, normTolerance)
}

// compareAdapters compares how far each number of the adapter moved: at a large rate
// in the first update alone. Not all of the reference's adapters are in the fixture.
func (r *reference) compareAdapters(t *testing.T, prefix string, start *lora.Adapter, params []*tensors.Tensor, rate float64, first bool) {
	if !r.HasAny(prefix) {
		return
	}
	m := r.Moves(t, prefix, start, params, rate)
	if rate < fastRate || first {
		m.Require(t, 0.005)
	}
}
