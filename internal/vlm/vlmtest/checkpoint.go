package vlmtest

import (
	"slices"
	"testing"
	"testing/fstest"

	"github.com/gomlx/compute/dtypes"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
)

// Checkpoint is the first checkpoint among the fixtures of a model, for tests that
// change its files and look at what becomes of its answers.
type Checkpoint struct {
	Name string // of the model in golden.json
	Open vlm.Open

	// Picture is the size of the picture of noise that is asked about. Where it is 0,
	// the official question is asked about the fixture's own picture.
	Picture vision.Size
	// Change is made to the files wherever questions are asked; nil for none.
	Change Change
}

// Opened opens the checkpoint, its files changed.
func (c Checkpoint) Opened(t *testing.T, rt *backends.Runtime, o vlm.Options, changes ...Change) *vlm.Verifier {
	t.Helper()
	files := Files(t, c.Name)
	for _, change := range changes {
		change(t, files)
	}
	v, err := c.Open.FS(t.Context(), rt, c.Name, files, o)
	require.NoError(t, err)
	return v
}

// Rated opens the checkpoint and returns the "loss" of a question, and its
// "gradient" by the picture.
func (c Checkpoint) Rated(t *testing.T, rt *backends.Runtime, o vlm.Options, changes ...Change) golden.Results {
	t.Helper()
	if c.Change != nil {
		changes = slices.Concat([]Change{c.Change}, changes)
	}
	v := c.Opened(t, rt, o, changes...)
	if c.Picture.Area() == 0 {
		return Rate(t, rt, v, c.Name)
	}
	return RateNoise(t, rt, v, c.Picture)
}

// TestHead opens checkpoints whose head is the table of words, with and without a
// copy of it, and one with a head that equals it.
func (c Checkpoint) TestHead(t *testing.T, rt *backends.Runtime, words, head string, tie ...Change) {
	var table []byte
	Rewrite(t, Files(t, c.Name), func(x *safetensors.Tensor) {
		if x.Name == words {
			table = x.Data
		}
	})
	require.NotEmpty(t, table, words)
	stored := Change(func(t testing.TB, files fstest.MapFS) {
		Rewrite(t, files, func(x *safetensors.Tensor) {
			if x.Name == head {
				x.Data = table
			}
		})
	})
	want := c.Rated(t, rt, vlm.Options{}, stored).Floats(t, "loss")
	for _, own := range []Change{stored, Named(head, "")} {
		require.Equal(t, want, c.Rated(t, rt, vlm.Options{}, slices.Concat(tie, []Change{own})...).Floats(t, "loss"))
	}
}

// TestNames opens checkpoints whose tensors have other names: the same numbers.
func (c Checkpoint) TestNames(t *testing.T, rt *backends.Runtime, versions map[string]func(name string) string) {
	want := c.Rated(t, rt, vlm.Options{})
	for version, name := range versions {
		t.Run(version, func(t *testing.T) {
			got := c.Rated(t, rt, vlm.Options{}, Renamed(name))
			for _, part := range []string{"loss", "gradient"} {
				require.Equal(t, want.Floats(t, part), got.Floats(t, part))
			}
		})
	}
}

// TestCheckpointing recomputes activations in the backward pass: the same numbers.
func (c Checkpoint) TestCheckpointing(t *testing.T, rt *backends.Runtime) {
	want := c.Rated(t, rt, vlm.Options{Checkpoint: backends.CheckpointOff})
	got := c.Rated(t, rt, vlm.Options{Checkpoint: backends.CheckpointOn})
	for _, part := range []string{"loss", "gradient"} {
		require.NotZero(t, Norm(want.Floats(t, part)), part)
		require.NoError(t, golden.Close(got.Floats(t, part), want.Floats(t, part), 1e-5), part)
	}
}

// Precision is what is computed in, and how far off results may be.
type Precision struct {
	DType          dtypes.DType
	Loss, Gradient float64
	Changes        []Change
}

// TestPrecision computes with less precision than the checkpoint has.
func (c Checkpoint) TestPrecision(t *testing.T, rt *backends.Runtime, precisions ...Precision) {
	want := c.Rated(t, rt, vlm.Options{})
	for _, p := range precisions {
		lower := *rt
		lower.DType = p.DType
		got := c.Rated(t, &lower, vlm.Options{}, p.Changes...)
		require.NoError(t, golden.Close(got.Floats(t, "loss"), want.Floats(t, "loss"), p.Loss), "loss in %s", p.DType)
		require.NoError(t, golden.Close(got.Floats(t, "gradient"), want.Floats(t, "gradient"), p.Gradient), "gradient in %s", p.DType)
	}
}

// Variant is a checkpoint with some settings changed, and what transformers computes
// with the same changes: the loss, and the norm of its gradient by the picture.
type Variant = struct {
	Name           string
	Changes        []Change
	Loss, Gradient float64
}

// TestVariants compares the loss, to within a difference, and the norm of its
// gradient, relatively.
func (c Checkpoint) TestVariants(t *testing.T, loss, gradient float64, variants []Variant) {
	for _, variant := range variants {
		t.Run(variant.Name, func(t *testing.T) {
			got := c.Rated(t, golden.Plain(t), vlm.Options{}, variant.Changes...)
			require.InDelta(t, variant.Loss, got.Floats(t, "loss")[0], loss)
			require.InEpsilon(t, variant.Gradient, Norm(got.Floats(t, "gradient")), gradient)
		})
	}
}
