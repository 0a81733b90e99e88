package dualprocess_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
)

// encoding is a generator that counts what becomes of its text encoder.
type encoding struct {
	*toyGenerator
	released *int
}

func (e encoding) Release() error { *e.released++; return nil }

func TestTextEncodersAreFreed(t *testing.T) {
	w := newToy(t, "go")
	g := encoding{w.g, new(0)}
	_, err := dualprocess.Sample(background, w.rt, g, "sea", dualprocess.SampleOptions{})
	require.NoError(t, err)
	assert.Equal(t, 1, *g.released, "by Sample")

	*g.released = 0
	s, err := dualprocess.NewSampler(w.rt, g, dualprocess.SamplerOptions{Prompts: 2})
	require.NoError(t, err)
	defer s.Close()
	for _, step := range []struct {
		prompt string
		want   int
	}{{"sea", 1}, {"sea", 1}, {"meadow", 2}, {"sea", 2}, {"desert", 3}, {"sea", 3}, {"meadow", 4}} {
		_, err := s.Sample(background, dualprocess.Request{Prompt: step.prompt, Seeds: []int64{1, 2}})
		require.NoError(t, err)
		assert.Equal(t, step.want, *g.released, "by a Sampler, at every prompt that is not kept: %s", step.prompt)
	}

	*g.released = 0
	_, err = dualprocess.Evaluate(background, dualprocess.Evaluation{
		Runtime: w.rt, Generator: g, Verifier: w.v, Prompts: toyPrompts, Seeds: []int64{1},
		Questions: []dualprocess.Question{{Text: "red", Answer: "Yes"}},
	})
	require.NoError(t, err)
	assert.Equal(t, 1, *g.released, "by Evaluate, with all prompts encoded")
}
