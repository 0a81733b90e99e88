package flux

import (
	"fmt"
	"testing"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/pipeline/pipelinetest"
)

// testDistill makes the fixtures' trainings by Distill itself: the adapter after
// three updates, and the losses. Activations are recomputed here, where the
// trainer keeps them.
func (r *reference) testDistill(t *testing.T) {
	for mode := range r.Modes() {
		if mode != "subsample" && mode != "full_intended" {
			continue // without results at a rate at which three updates move the losses
		}
		t.Run(mode, func(t *testing.T) {
			o := r.static(t, r.About.Spec.Steps, r.About.Spec.TrainGuidance)
			o.Checkpoint = backends.CheckpointOn
			g := r.open(t, o)
			d := pipelinetest.Distilled{Mode: mode, Rate: "0.01", Scale: lossScale, Tolerance: fastTolerance}
			if mode == "full_intended" {
				for k := range pipelinetest.TrainUpdates {
					d.Levels = append(d.Levels, int32(r.Drawn(t, k)))
				}
			}
			start := r.Adapter(t, g, r.cond)
			a := r.Distill(t, g, r.cond, start, d)
			prefix := fmt.Sprintf("train.%s.lr%s.after%d/", mode, d.Rate, pipelinetest.TrainUpdates)
			r.compareAdapters(t, prefix, start, a.Params(), pipelinetest.Number(d.Rate))
		})
	}
}
