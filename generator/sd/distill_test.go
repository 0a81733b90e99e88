package sd

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/pipeline/pipelinetest"
)

// testDistill makes a training of the fixture by Distill itself and compares the
// losses. Activations are recomputed here, where the trainer keeps them.
func (r *reference) testDistill(t *testing.T, mode string) {
	require.Contains(t, r.Modes(), mode)
	g := r.open(t, Options{Steps: r.About.Spec.Steps, Guidance: &r.About.Spec.TrainGuidance, Checkpoint: backends.CheckpointOn})
	cond := r.conditions(t, g)
	d := pipelinetest.Distilled{Mode: mode, Rate: "0.01", Scale: lossScale, Tolerance: detailedTolerance}
	if mode == "full_intended" {
		for k := range pipelinetest.TrainUpdates {
			d.Levels = append(d.Levels, int32(r.level(t, g, k)))
		}
	}
	r.Distill(t, g, cond, r.Adapter(t, g, cond), d)
}
