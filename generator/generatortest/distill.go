package generatortest

import (
	"context"
	"errors"
	"image"
	"math"
	"slices"
	"testing"
	"time"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/lora"
)

// testSample: Sample does what the methods do one by one.
func (s *subject) testSample(t *testing.T) {
	const weight = 0.5
	x := s.latents(t, 3)
	previous, after := x, s.stepAfter(t)
	for i := range s.g.Steps() {
		prediction, clean, next := s.step(t, x, i, weight, s.cond[0])
		if after != nil {
			out, err := after.Call(x, prediction, previous, int32(i))
			require.NoError(t, err)
			next = out[0]
		}
		x, previous = next, clean
	}
	want := flat(s.picture(t, x))
	got := s.sample(t, weight, 3).(*image.NRGBA)
	worst := 0.0
	for k, v := range want {
		level := 255 * min(max(float64(v), 0), 1)
		worst = max(worst, math.Abs(level-float64(got.Pix[k/3*4+k%3])))
	}
	levels := 2.0 // of 255; one of them is the rounding to whole ones
	if s.rt.DType.IsHalfPrecision() {
		levels = 24
	}
	require.LessOrEqual(t, worst, levels)
}

// stepAfter compiles the step of a sampler that looks back; it is nil for one that
// does not.
func (s *subject) stepAfter(t *testing.T) *model.Exec {
	m, ok := s.g.(dualprocess.Multistepper)
	if !ok {
		return nil
	}
	exec, err := graphs.NewExecutor(s.rt, func(in []*Node) []*Node {
		return []*Node{m.StepAfter(in[0], in[1], in[2], in[3])}
	})
	require.NoError(t, err)
	t.Cleanup(exec.Finalize)
	return exec
}

func (s *subject) sample(t *testing.T, weight float64, seed int64) image.Image {
	images, err := s.sampler.Sample(t.Context(), dualprocess.Request{Prompt: s.prompts[0], Seeds: []int64{seed}, Adapter: s.adapter, Weight: &weight})
	require.NoError(t, err)
	require.Len(t, images, 1)
	return images[0]
}

// testSameSeed: pictures can be made again, and other seeds make others.
func (s *subject) testSameSeed(t *testing.T) {
	first := s.sample(t, 1, 3)
	require.Equal(t, first, s.sample(t, 1, 3))
	require.NotEqual(t, first, s.sample(t, 1, 4), "two seeds make the same picture")
}

// testCancelled: nothing is done any more once the context has ended.
func (s *subject) testCancelled(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.sampler.Sample(ended, dualprocess.Request{Prompt: s.prompts[0], Seeds: []int64{3}})
	require.ErrorIs(t, err, context.Canceled)
	if _, err := s.g.Encode(ended, s.prompts[0]); err != nil {
		require.ErrorIs(t, err, context.Canceled)
	}
}

// testDistill: the same task gives the same adapter, bit for bit, and one that is
// cancelled gives what it has.
func (s *subject) testDistill(t *testing.T) {
	const updates = 2
	whole, err := dualprocess.Distill(t.Context(), s.task(updates, nil))
	require.NoError(t, err)
	require.Equal(t, s.adapter.Layers(), whole.Layers())
	before, after := s.adapter.Params(), whole.Params()
	for k := range before {
		require.False(t, slices.Equal(flat(before[k]), flat(after[k])), "%s did not move", matrix(whole, k))
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var cancelled time.Time
	cut, err := dualprocess.Distill(ctx, s.task(1000, func(u dualprocess.Update) {
		require.LessOrEqual(t, u.Number, updates, "goes on after it was cancelled")
		require.False(t, u.Skipped, "%s is not finite", u.Fault)
		if u.Number == updates {
			cancelled = time.Now()
			cancel()
		}
	}))
	require.ErrorIs(t, err, context.Canceled)
	require.Less(t, time.Since(cancelled), time.Minute)
	for k, p := range cut.Params() {
		require.True(t, slices.Equal(flat(after[k]), flat(p)), "two runs differ in %s", matrix(whole, k))
	}
}

// matrix names number k of an adapter's.
func matrix(a *lora.Adapter, k int) string {
	return "AB"[k%2:k%2+1] + " of " + a.Layers()[k/2].String()
}

// task trains the subject's adapter to please wish.
func (s *subject) task(updates int, progress func(dualprocess.Update)) dualprocess.Task {
	return dualprocess.Task{
		Runtime: s.rt, Generator: s.g, Verifier: wish{},
		Prompts: s.prompts[:1], Questions: []dualprocess.Question{{Text: "Is it so?", Answer: "Yes"}},
		Start: s.adapter, Weight: 1, Updates: updates, SeedCount: updates, Seed: 1, Progress: progress,
	}
}

// wish is a verifier that wants pictures to darken from left to right: the
// logarithm of its probability is the mean squared distance.
type wish struct{}

func (wish) Prepare(_ context.Context, _ dualprocess.Question, height, width int) (dualprocess.Inputs, error) {
	if height < 1 || width < 1 {
		return nil, errors.New("no pixels")
	}
	ramp := make([]float32, width)
	for k := range ramp {
		ramp[k] = 1 - float32(k)/float32(width)
	}
	return dualprocess.Inputs{tensors.FromFlatDataAndDimensions(ramp, 1, 1, width, 1)}, nil
}

func (wish) LogProbs(picture *Node, questions [][]*Node) []*Node {
	var out []*Node
	for _, q := range questions {
		out = append(out, Neg(ReduceMean(Square(Sub(picture, q[0])), 1, 2, 3)))
	}
	return out
}

var _ dualprocess.Verifier = wish{}
