package sd

import (
	"testing"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/pipeline/pipelinetest"
)

// testDistill makes the fixtures' trainings by Distill itself and compares the
// losses. Activations are recomputed here, where the trainer keeps them.
func (r *reference) testDistill(t *testing.T) {
	for mode := range r.Modes() {
		t.Run(mode, func(t *testing.T) {
			g := r.open(t, Options{Steps: r.About.Spec.Steps, Guidance: &r.About.Spec.TrainGuidance, Checkpoint: backends.CheckpointOn})
			cond := r.conditions(t, g)
			d := pipelinetest.Distilled{Mode: mode, Rate: "0.01", Scale: lossScale, Tolerance: detailedTolerance}
			if mode == "full_intended" {
				for k := range pipelinetest.TrainUpdates {
					d.Levels = append(d.Levels, int32(r.level(t, g, k)))
				}
			}
			r.Distill(t, g, cond, r.Adapter(t, g, cond), d)
		})
	}
}
