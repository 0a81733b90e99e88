package sd

import (
	"fmt"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/pipeline/pipelinetest"
	"github.com/dualprocess/dualprocess-go/lora"
)

const (
	lossScale = 20 // of the fixtures' toy loss
	// detailedRate is the learning rate from which on the fixtures hold the losses
	// alone: three such updates amplify every rounding.
	detailedRate      = 1e-3
	detailedTolerance = 2e-4
)

// testTraining compares the fixtures' trainings by a toy loss.
func (r *reference) testTraining(t *testing.T) {
	g := r.open(t, Options{Steps: r.About.Spec.Steps, Guidance: &r.About.Spec.TrainGuidance})
	tr := r.Trainer(t, g, r.conditions(t, g), pipelinetest.ByIndex(g, lossScale))
	modes := r.Modes()
	require.NotEmpty(t, modes)
	for mode, keys := range modes {
		for lr := range pipelinetest.Rates(keys, "after", "step") {
			t.Run(mode+".lr"+lr, func(t *testing.T) { r.testRate(t, tr, g, mode, lr) })
		}
	}
}

// latentsAt makes the latents of update k without gradient, and the index that
// our generator has for their noise level.
func (r *reference) latentsAt(t *testing.T, tr *pipelinetest.Trainer, g *Generator, mode string, k int) (*tensors.Tensor, int) {
	if mode == "subsample" {
		i := r.About.Spec.TrainSteps[k]
		return tr.Latents(t, k, i), i
	}
	require.Equal(t, "full_intended", mode)
	return tr.Renoised(t, k, r.level(t, g, k))
}

// level is our level for the timestep that update k of the second mode draws out
// of the reference's thousand, the first of which is beyond those of the training.
func (r *reference) level(t *testing.T, g *Generator, k int) int {
	times := r.timesteps(t, "sched.train1000.timesteps")
	return g.Levels() - 1 - times[r.Drawn(t, k)]
}

// testRate compares a training of one mode at one learning rate.
func (r *reference) testRate(t *testing.T, tr *pipelinetest.Trainer, g *Generator, mode, lr string) {
	rate := pipelinetest.Number(lr)
	start := tr.Reset(t)
	prefix := "train." + mode + "."
	for k := range pipelinetest.TrainUpdates {
		latents, i := r.latentsAt(t, tr, g, mode, k)
		u := tr.Update(t, k, latents, rate, int32(i))
		if rate >= detailedRate {
			r.Compare(t, fmt.Sprintf("%slr%s.step%d.loss", prefix, lr, k), u.Loss, detailedTolerance)
		} else {
			r.compareStep(t, fmt.Sprintf("%sstep%d.", prefix, k), g, latents, i, u)
		}
		if k == 0 && rate < detailedRate {
			r.CompareGradients(t, prefix+"grad/", start, u)
		}
		if k == 0 || k == pipelinetest.TrainUpdates-1 {
			r.compareAdapters(t, fmt.Sprintf("%slr%s.after%d/", prefix, lr, k+1), start, tr.Params, rate)
		}
	}
}

// compareStep compares everything within one update.
func (r *reference) compareStep(t *testing.T, prefix string, g *Generator, latents *tensors.Tensor, i int, u pipelinetest.Update) {
	time := g.schedule.times[i]
	r.Compare(t, prefix+"t", []float32{time}, 0)
	of, index := r.About.Spec.Steps, r.Ints(t, prefix+"i")
	if i >= g.Steps() {
		of = 1000
	}
	require.Equal(t, int(time), r.timesteps(t, fmt.Sprintf("sched.train%d.timesteps", of))[index[0]])
	r.Compare(t, prefix+"x_t", tensors.MustCopyFlatData[float32](latents), tolerance)
	r.CompareUpdate(t, prefix, u)
	r.Compare(t, prefix+"grad_norm", u.Norm, gradientTolerance)
}

// compareAdapters compares how far each number of the adapter moved. After three
// updates at a large rate the fixtures' README asks for the losses alone, and we for a
// little. Our own fixtures are without some of these.
func (r *reference) compareAdapters(t *testing.T, prefix string, start *lora.Adapter, params []*tensors.Tensor, rate float64) {
	if !r.Has(prefix + start.Layers()[0].Name + ".lora_A.weight") {
		return
	}
	m := r.Moves(t, prefix, start, params, rate)
	if rate >= detailedRate {
		m.Require(t, 0.1)
	} else {
		m.Require(t, 0.005)
	}
}
