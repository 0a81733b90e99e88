package verifiertest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
)

// testPrepare: what is given is the caller's, and made anew each time.
func (s *subject) testPrepare(t *testing.T) {
	again := s.prepare(t, s.Questions[0])
	s.requireSame(t, again)
	for _, x := range again {
		require.NoError(t, x.FinalizeAll(), "what Prepare gives belongs to the caller")
	}
	s.requireSame(t, s.prepare(t, s.Questions[0]))
}

// requireSame compares tensors with those of the first question.
func (s *subject) requireSame(t *testing.T, in dualprocess.Inputs) {
	require.Len(t, in, len(s.prepared[0]))
	for k, x := range in {
		require.True(t, x.Equal(s.prepared[0][k]), "tensor %d of the same question is another", k)
	}
}

// testRuntime: a Runtimer says which runtime it was opened with.
func (s *subject) testRuntime(t *testing.T) {
	r, ok := s.v.(dualprocess.Runtimer)
	if !ok {
		t.Skip("not a dualprocess.Runtimer")
	}
	require.Same(t, s.rt, r.Runtime())
}

func (s *subject) testSizes(t *testing.T) {
	for _, size := range append([][2]int{{0, s.Width}, {s.Height, 0}, {-1, -1}}, s.Refused...) {
		_, err := s.v.Prepare(t.Context(), s.Questions[0], size[0], size[1])
		require.Error(t, err, "%d x %d", size[0], size[1])
	}
}

// testCancelled: nothing is done any more once the context has ended.
func (s *subject) testCancelled(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.v.Prepare(ended, s.Questions[0], s.Height, s.Width); err != nil {
		require.ErrorIs(t, err, context.Canceled)
	}
	_, err := dualprocess.Evaluate(ended, s.evaluation(t))
	require.ErrorIs(t, err, context.Canceled)
	if scorer, ok := s.v.(dualprocess.Scorer); ok {
		_, err := scorer.Score(ended, s.image(t), s.Questions[0])
		require.ErrorIs(t, err, context.Canceled)
	}
}

// testRelease: weights that were let go come back.
func (s *subject) testRelease(t *testing.T) {
	r, ok := s.v.(dualprocess.Releaser)
	if !ok {
		t.Skip("not a dualprocess.Releaser")
	}
	require.NoError(t, r.Release())
	require.NoError(t, r.Release(), "a second time")
	s.requireSame(t, s.prepare(t, s.Questions[0]))
}
