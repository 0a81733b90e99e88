package verifiertest

import (
	"context"
	"image"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/pixels"
)

// image is the first picture in 8 bits.
func (s *subject) image(t *testing.T) image.Image {
	img, err := pixels.ToImage(flat(s.pictures[0]), s.Height, s.Width)
	require.NoError(t, err)
	return img
}

func (s *subject) evaluation(t *testing.T) dualprocess.Evaluation {
	return dualprocess.Evaluation{
		Runtime: s.rt, Generator: newPainter(t, s.rt, s.Height, s.Width), Verifier: s.v,
		Prompts: []string{"anything"}, Seeds: []int64{3, 4}, Questions: s.Questions[:2], Batch: 2,
	}
}

// testEvaluate: pictures are rated alike, whoever asks.
func (s *subject) testEvaluate(t *testing.T) {
	ratings, err := dualprocess.Evaluate(t.Context(), s.evaluation(t))
	require.NoError(t, err)
	require.Len(t, ratings, 2)
	for _, r := range ratings {
		for _, p := range r.P {
			require.True(t, p > 0 && p <= 1.00001, "P(answer) is %v", p)
		}
	}
	scores, err := dualprocess.Score(t.Context(), s.rt, s.v, s.Questions[:2], s.image(t))
	require.NoError(t, err)
	for k, logP := range s.rater(t, 0, 1)(s.pictures[0]) {
		const rounding = 0.1 // of the picture to 8 bits, in nats
		require.InDelta(t, logP[0], math.Log(scores[0][k]), rounding*max(1, math.Abs(float64(logP[0]))))
	}
	if scorer, ok := s.v.(dualprocess.Scorer); ok {
		for k, q := range s.Questions[:2] {
			p, err := scorer.Score(t.Context(), s.image(t), q)
			require.NoError(t, err)
			s.near(t, float32(math.Log(scores[0][k])), float32(math.Log(p)), "by its own Score")
		}
	}
}

// testDistill: the same task gives the same adapter, bit for bit, and one that is
// cancelled gives what it has.
func (s *subject) testDistill(t *testing.T) {
	const updates = 3
	whole, err := dualprocess.Distill(t.Context(), s.task(t, updates, nil))
	require.NoError(t, err)
	require.NotZero(t, flat(whole.Params()[1])[0], "nothing was learned")

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var cancelled time.Time
	cut, err := dualprocess.Distill(ctx, s.task(t, 1000, func(u dualprocess.Update) {
		require.LessOrEqual(t, u.Number, updates, "goes on after it was cancelled")
		require.False(t, u.Skipped, "%s is not finite", u.Fault)
		if u.Number == updates {
			cancelled = time.Now()
			cancel()
		}
	}))
	require.ErrorIs(t, err, context.Canceled)
	require.Less(t, time.Since(cancelled), time.Minute)
	require.Equal(t, whole, cut, "two runs differ")
}

// task teaches a painter to please the verifier.
func (s *subject) task(t *testing.T, updates int, progress func(dualprocess.Update)) dualprocess.Task {
	return dualprocess.Task{
		Runtime: s.rt, Generator: newPainter(t, s.rt, s.Height, s.Width), Verifier: s.v,
		Prompts: []string{"anything"}, Questions: s.Questions[:2],
		Updates: updates, SeedCount: updates, Seed: 1, Progress: progress,
	}
}
