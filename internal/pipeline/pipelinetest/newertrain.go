package pipelinetest

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/lora"
)

// The learning rate at which three updates move the losses, and how near they must be.
// Of the smaller one the fixtures hold everything.
const fastRate = "0.01"

// TestLora compares pictures made with the adapter in memory and from the files that
// diffusers wrote, at several weights. Layers are given to more, with the generator and
// the adapter, for what only one fixture has.
func (n *Newer) TestLora(t *testing.T, more func(t *testing.T, s *Sampler, start *lora.Adapter, layers []lora.Layer)) {
	g := n.open(t, n.setting("ref", n.SampledSteps(t), n.About.Spec.Guidance))
	cond := n.cond(t, g)
	start, layers := n.Adapter(t, g, cond), Layers(t, n.Runtime, g, cond)
	n.CompareScaling(t)
	n.Compare(t, "lora.plain.peft_scaling", []float32{1}, 0)
	s := n.Sampler(t, g, cond, start)
	n.ComparePictures(t, s, start, "lora.inmem.w", "")
	plain := n.Load(t, "lora/plain/pytorch_lora_weights.safetensors", layers, start)
	n.ComparePictures(t, n.Sampler(t, g, cond, plain), plain, "lora.plain.scale", "")
	t.Run("with_metadata", func(t *testing.T) { // the alpha of which makes it the one in memory
		a := n.Load(t, "lora/with_metadata/pytorch_lora_weights.safetensors", layers, start)
		require.Equal(t, start.WithWeight(1), a)
	})
	t.Run("own file", func(t *testing.T) { RoundTrip(t, start, lora.SaveOptions{}, layers) })
	if more != nil {
		more(t, s, start, layers)
	}
}

// TestTraining compares the fixture's trainings by a toy loss. fastTolerance is that of
// losses at the larger learning rate.
func (n *Newer) TestTraining(t *testing.T, fastTolerance float64) {
	g := n.train(t)
	tr := n.Trainer(t, g, n.cond(t, g), ByIndex(g, n.About.LossScale))
	for mode := range n.Modes() {
		t.Run(mode, func(t *testing.T) {
			require.Contains(t, []string{"subsample", "full_intended"}, mode)
			n.testSlow(t, tr, mode)
			if n.hasRate(mode, fastRate) {
				n.testFast(t, tr, mode, fastTolerance)
			}
		})
	}
}

// latentsAt makes the latents of update k without gradient, and the index that the
// generator has for their noise level.
func (n *Newer) latentsAt(t *testing.T, tr *Trainer, mode string, k int) (*tensors.Tensor, int) {
	if mode == "full_intended" {
		return tr.Renoised(t, k, n.Drawn(t, k))
	}
	i := n.About.Spec.TrainSteps[k]
	return tr.Latents(t, k, i), i
}

// testSlow compares everything within a training at the model's own learning rate.
func (n *Newer) testSlow(t *testing.T, tr *Trainer, mode string) {
	start, rate := tr.Reset(t), n.About.Spec.LearningRate
	for k := range TrainUpdates {
		latents, i := n.latentsAt(t, tr, mode, k)
		prefix := fmt.Sprintf("train.%s.step%d.", mode, k)
		u := tr.UpdateNearby(t, mode, k, latents, start, rate, int32(i))
		n.Compare(t, prefix+"x_t", n.Shown(latents), n.Tolerance)
		n.compareSchedule(t, prefix, tr.g, i)
		index := i
		if mode == "full_intended" {
			index -= tr.g.Steps()
		}
		require.Equal(t, []int32{int32(index)}, n.Ints(t, prefix+"i"))
		n.CompareUpdate(t, prefix, u)
		n.Compare(t, prefix+"grad_norm", u.Norm, n.GradientTolerance)
		if k == 0 && n.HasAny("train."+mode+".grad/") {
			n.CompareGradients(t, "train."+mode+".grad/", start, u)
		}
		after := fmt.Sprintf("train.%s.lr%s.after%d/", mode, strconv.FormatFloat(rate, 'g', -1, 64), k+1)
		n.compareMoves(t, after, start, tr.Params, rate)
	}
}

// testFast compares the losses of a training at a rate that moves them.
func (n *Newer) testFast(t *testing.T, tr *Trainer, mode string, tolerance float64) {
	start, rate := tr.Reset(t), Number(fastRate)
	for k := range TrainUpdates {
		latents, i := n.latentsAt(t, tr, mode, k)
		u := tr.Update(t, k, latents, rate, int32(i))
		n.Compare(t, fmt.Sprintf("train.%s.lr%s.step%d.loss", mode, fastRate, k), u.Loss, tolerance)
		n.compareMoves(t, fmt.Sprintf("train.%s.lr%s.after%d/", mode, fastRate, k+1), start, tr.Params, rate)
	}
}

// compareMoves compares how far each number of the adapter moved, where the fixture
// holds it.
func (n *Newer) compareMoves(t *testing.T, prefix string, start *lora.Adapter, params []*tensors.Tensor, rate float64) {
	if !n.HasAny(prefix) {
		return
	}
	m := n.Moves(t, prefix, start, params, rate)
	if rate < Number(fastRate) {
		m.Require(t, 0.005)
	} else {
		require.LessOrEqual(t, m.Worst, 3e-3, prefix)
	}
}

// TestDistill makes the trainings at the larger learning rate by Distill itself.
// Activations are recomputed here, where the trainer keeps them. open opens the
// fixture's model with a choice of that.
func (n *Newer) TestDistill(t *testing.T, tolerance float64, open func(t *testing.T, s Setting, c backends.Checkpointing) Generator) {
	g := open(t, n.setting("ref", n.About.Spec.Steps, n.About.Spec.TrainGuidance), backends.CheckpointOn)
	cond := n.cond(t, g)
	for mode := range n.Modes() {
		t.Run(mode, func(t *testing.T) {
			d := Distilled{Mode: mode, Rate: fastRate, Scale: n.About.LossScale, Tolerance: tolerance}
			if mode == "full_intended" {
				for k := range TrainUpdates {
					d.Levels = append(d.Levels, int32(n.Drawn(t, k)))
				}
			}
			start := n.Adapter(t, g, cond)
			require.NotEqual(t, start, n.Distill(t, g, cond, start, d))
		})
	}
}
