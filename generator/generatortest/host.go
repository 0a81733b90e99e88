package generatortest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
)

// testEncode: prompts can be stacked to a batch, and what is given is the caller's.
func (s *subject) testEncode(t *testing.T) {
	require.GreaterOrEqual(t, s.g.Steps(), 1, "Steps")
	apart := false
	for p, cond := range s.cond {
		require.Len(t, cond, len(s.cond[0]), "tensors of prompt %q", s.prompts[p])
		for k, x := range cond {
			require.True(t, x.Shape().Equal(s.cond[0][k].Shape()), "tensor %d of prompt %q is %s, that of %q %s",
				k, s.prompts[p], x.Shape(), s.prompts[0], s.cond[0][k].Shape())
			require.GreaterOrEqual(t, x.Rank(), 1, "tensor %d is a scalar", k)
			require.Equal(t, 1, x.Shape().Dim(0), "leading axis of tensor %d", k)
			apart = apart || !x.Equal(s.cond[0][k])
		}
	}
	require.True(t, apart, "all prompts encode to the same")
	first := s.encode(t, s.prompts[0])
	s.requireSame(t, first)
	for _, x := range first {
		require.NoError(t, x.FinalizeAll(), "what Encode gives belongs to the caller")
	}
	s.requireSame(t, s.encode(t, s.prompts[0]))
}

// testConditions: a Conditioner knows beforehand what Encode returns.
func (s *subject) testConditions(t *testing.T) {
	c, ok := s.g.(dualprocess.Conditioner)
	if !ok {
		t.Skip("not a dualprocess.Conditioner")
	}
	shapes := c.Conditions()
	require.Len(t, shapes, len(s.cond[0]))
	for k, x := range s.cond[0] {
		require.True(t, x.Shape().Equal(shapes[k]), "tensor %d is %s, not %s", k, x.Shape(), shapes[k])
	}
}

// testLayers: Layers finds them with nothing but the generator, which is a
// Conditioner or reads the empty prompt.
func (s *subject) testLayers(t *testing.T) {
	layers, err := dualprocess.Layers(s.rt, s.g)
	if _, ok := s.g.(dualprocess.Conditioner); !ok && err != nil {
		t.Skipf("neither a dualprocess.Conditioner nor a reader of the empty prompt: %v", err)
	}
	require.NoError(t, err)
	require.Equal(t, s.layers(t), layers)
}

// testRuntime: a Runtimer says which runtime it was opened with.
func (s *subject) testRuntime(t *testing.T) {
	r, ok := s.g.(dualprocess.Runtimer)
	if !ok {
		t.Skip("not a dualprocess.Runtimer")
	}
	require.Same(t, s.rt, r.Runtime())
}

func (s *subject) encode(t *testing.T, prompt string) dualprocess.Inputs {
	cond, err := s.g.Encode(t.Context(), prompt)
	require.NoError(t, err, "Encode %q", prompt)
	return cond
}

// requireSame compares an encoding with that of the first prompt.
func (s *subject) requireSame(t *testing.T, cond dualprocess.Inputs) {
	require.Len(t, cond, len(s.cond[0]))
	for k, x := range cond {
		require.True(t, x.Equal(s.cond[0][k]), "tensor %d of the same prompt is another", k)
	}
}

// testLatents: the noise of a seed does not depend on its batch.
func (s *subject) testLatents(t *testing.T) {
	both, first, second := s.latents(t, 3, 4), s.latents(t, 3), s.latents(t, 4)
	require.True(t, finite(both))
	require.Equal(t, flat(first), row(both, 0))
	require.Equal(t, flat(second), row(both, 1))
	require.NotEqual(t, flat(first), flat(second), "two seeds have the same noise")
	require.Equal(t, flat(first), flat(s.latents(t, 3)), "a seed has other noise the second time")
}

// testRelease: weights that were let go come back.
func (s *subject) testRelease(t *testing.T) {
	r, ok := s.g.(dualprocess.Releaser)
	if !ok {
		t.Skip("not a dualprocess.Releaser")
	}
	require.NoError(t, r.Release())
	require.NoError(t, r.Release(), "a second time")
	s.requireSame(t, s.encode(t, s.prompts[0]))
	last := s.prompts[len(s.prompts)-1]
	cond := s.encode(t, last)
	require.Len(t, cond, len(s.cond[0]))
	for k, x := range cond {
		require.True(t, x.Shape().Equal(s.cond[0][k].Shape()), "tensor %d of prompt %q is %s", k, last, x.Shape())
	}
}
