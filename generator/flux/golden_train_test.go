package flux

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
	// From this learning rate on the fixtures hold the losses and the adapters alone.
	fastRate      = 1e-3
	fastTolerance = 1e-4
)

// trainer makes the updates of a generator.
type trainer struct {
	*pipelinetest.Trainer
	g *Generator
}

// testTraining compares the fixtures' trainings by a toy loss.
func (r *reference) testTraining(t *testing.T) {
	trainers := map[int]*trainer{}
	whole := t // the trainers live as long as this
	for mode, keys := range r.Modes() {
		t.Run(mode, func(t *testing.T) {
			steps := r.trainSteps(mode)
			if trainers[steps] == nil {
				trainers[steps] = r.trainer(whole, steps)
			}
			if mode == "full_asrun" {
				r.testAsRun(t, trainers[steps])
				return
			}
			for lr := range pipelinetest.Rates(keys, "after") {
				t.Run("lr"+lr, func(t *testing.T) { r.testRate(t, trainers[steps], mode, lr) })
			}
		})
	}
}

// trainSteps is the number of steps of the sampler in a mode.
func (r *reference) trainSteps(mode string) int {
	if mode == "subsample4" {
		return 4
	}
	return r.About.Spec.Steps
}

func (r *reference) trainer(t *testing.T, steps int) *trainer {
	g := r.open(t, r.static(t, steps, r.About.Spec.TrainGuidance))
	return &trainer{r.Trainer(t, g, r.cond, pipelinetest.ByIndex(g, lossScale)), g}
}

// latentsAt makes the latents of update k without gradient, and the index that
// our generator has for their noise level.
func (r *reference) latentsAt(t *testing.T, tr *trainer, mode string, k int) (*tensors.Tensor, int) {
	steps := map[string][]int{"subsample": r.About.Spec.TrainSteps, "subsample4": r.About.Spec.Train4Steps}[mode]
	if steps != nil {
		return tr.Latents(t, k, steps[k]), steps[k]
	}
	return tr.Renoised(t, k, r.Drawn(t, k))
}

// testRate compares a training of one mode at one learning rate.
func (r *reference) testRate(t *testing.T, tr *trainer, mode, lr string) {
	rate := pipelinetest.Number(lr)
	start := tr.Reset(t)
	prefix := "train." + mode + "."
	for k := range pipelinetest.TrainUpdates {
		latents, i := r.latentsAt(t, tr, mode, k)
		u := tr.Update(t, k, latents, rate, int32(i))
		if rate < fastRate { // of the reference's rate the fixtures hold everything
			r.compareStep(t, fmt.Sprintf("%sstep%d.", prefix, k), tr.g, latents, i, u)
		} else {
			r.Compare(t, fmt.Sprintf("%slr%s.step%d.loss", prefix, lr, k), u.Loss, fastTolerance)
		}
		if k == 0 && rate < fastRate {
			r.CompareGradients(t, prefix+"grad/", start, u)
		}
		if k == 0 || k == pipelinetest.TrainUpdates-1 {
			r.compareAdapters(t, fmt.Sprintf("%slr%s.after%d/", prefix, lr, k+1), start, tr.Params, rate)
		}
	}
}

// compareStep compares everything within one update.
func (r *reference) compareStep(t *testing.T, prefix string, g *Generator, latents *tensors.Tensor, i int, u pipelinetest.Update) {
	r.Compare(t, prefix+"x_t", tensors.MustCopyFlatData[float32](latents), tolerance)
	r.Compare(t, prefix+"t", g.flow.Times[i:i+1], 1e-6)
	r.Compare(t, prefix+"sigma", g.flow.Sigmas[i:i+1], 1e-6)
	index := i
	if i >= g.Steps() {
		index -= g.Steps()
	}
	require.Equal(t, []int32{int32(index)}, r.Ints(t, prefix+"i"))
	r.CompareUpdate(t, prefix, u)
	r.Compare(t, prefix+"grad_norm", u.Norm, gradientTolerance)
}

// testAsRun repeats what the reference really does in its second mode: it adds no
// noise, yet takes the step of a drawn time. Only its numbers are wanted of us,
// for its latents.
func (r *reference) testAsRun(t *testing.T, tr *trainer) {
	const prefix = "train.full_asrun.step0."
	tr.Reset(t)
	latents := tr.Latents(t, 0, tr.g.Steps())
	r.Compare(t, prefix+"x_t", tensors.MustCopyFlatData[float32](latents), tolerance)
	level := int(r.Ints(t, prefix+"i")[0])
	require.Equal(t, r.Drawn(t, 0), level)
	r.Compare(t, prefix+"t", tr.g.flow.Times[tr.g.Steps()+level:][:1], 1e-6)
	u := tr.Update(t, 0, r.Tensor(t, prefix+"x_t"), 5e-5, int32(tr.g.Steps()+level))
	r.Compare(t, prefix+"loss", u.Loss, tolerance)
}

// compareAdapters compares how far each number of the adapter moved.
func (r *reference) compareAdapters(t *testing.T, prefix string, start *lora.Adapter, params []*tensors.Tensor, rate float64) {
	m := r.Moves(t, prefix, start, params, rate)
	m.Require(t, 0.005)
	if rate >= fastRate {
		require.LessOrEqual(t, m.Worst, 1e-3, prefix)
	}
}
