package sana

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/pipeline/pipelinetest"
)

// testDistill makes the fixtures' training of the second mode by Distill itself, at
// the rate at which three updates move the losses. (In the first mode the paper's
// reference mixes two grids of noise levels, which no Generator does.) Activations
// are recomputed here, where the trainer keeps them.
func (r *reference) testDistill(t *testing.T) {
	if !r.HasAny("train.full_intended.") {
		t.Skip("the project's own copy of Sana 1.5's fixture is without")
	}
	o := r.paper(r.About.Spec.Steps, r.About.Spec.TrainGuidance)
	o.Checkpoint = backends.CheckpointOn
	g := r.open(t, o)
	cond := r.cond(t, g)
	d := pipelinetest.Distilled{Mode: "full_intended", Rate: "0.01", Scale: r.About.LossScale, Tolerance: fastTolerance}
	for k := range pipelinetest.TrainUpdates {
		d.Levels = append(d.Levels, int32(r.Drawn(t, k)))
	}
	start := r.Adapter(t, g, cond)
	require.NotEqual(t, start, r.Distill(t, g, cond, start, d))
}
