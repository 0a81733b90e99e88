// Package verifiertest tests implementations of dualprocess.Verifier, those of this
// library and yours:
//
//	func TestVerifier(t *testing.T) {
//		verifiertest.Run(t, func(ctx context.Context, rt *backends.Runtime) (dualprocess.Verifier, error) {
//			return mine.Open(ctx, rt, "testdata/tiny")
//		}, verifiertest.Options{})
//	}
//
// What it asks for is what Distill and Evaluate rely on. Tiny models with random
// weights and small pictures are enough, and keep it short.
package verifiertest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
)

// Open opens the verifier to be tested, on a runtime of the suite. The suite calls
// it once and closes the runtime at its end.
type Open func(ctx context.Context, rt *backends.Runtime) (dualprocess.Verifier, error)

// Options say what the verifier is asked about what.
type Options struct {
	// Questions, at least two, that the verifier can be asked and whose answers it
	// tells apart. nil = two in plain English, to be answered with yes or no.
	Questions []dualprocess.Question

	// Height and Width of the pictures, in pixels; 0 = 64.
	Height, Width int

	// Refused are heights and widths that the verifier cannot look at; nil = none
	// are tried but those that make no picture.
	Refused [][2]int

	// Backend as in backends.Options; empty = the fastest that is there without a
	// download.
	Backend string
}

func (o *Options) fill() {
	if o.Questions == nil {
		o.Questions = []dualprocess.Question{
			{Text: "Is the sky in this image blue?", Answer: "Yes"},
			{Text: "Is there a person anywhere in the foreground of this image?", Answer: "No"},
		}
	}
	for _, side := range []*int{&o.Height, &o.Width} {
		if *side == 0 {
			*side = 64
		}
	}
}

// Run tests a verifier, each property in a subtest of its own.
func Run(t *testing.T, open Open, o Options) {
	o.fill()
	require.GreaterOrEqual(t, len(o.Questions), 2, "two questions are needed")
	rt, err := backends.Open(t.Context(), backends.Options{Backend: o.Backend, NoDownload: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, rt.Close()) })
	v, err := open(t.Context(), rt)
	require.NoError(t, err)
	s := newSubject(t, rt, v, o)
	for _, property := range []struct {
		name string
		test func(t *testing.T)
	}{
		{"Prepare gives the caller tensors of his own", s.testPrepare},
		{"it knows its runtime", s.testRuntime},
		{"sizes that make no picture are refused", s.testSizes},
		{"answers are log-probabilities", s.testLogProbs},
		{"the same inputs give the same bits", s.testSameBits},
		{"a batch equals its pictures", s.testBatch},
		{"several questions equal each alone", s.testQuestions},
		{"LogProbs works twice in a graph", s.testTwice},
		{"gradients reach the pixels and are right", s.testGradient},
		{"Evaluate and Score agree with LogProbs", s.testEvaluate},
		{"Distill is reproducible and can be cancelled", s.testDistill},
		{"a cancelled context ends it", s.testCancelled},
		{"Prepare works after Release", s.testRelease},
	} {
		t.Run(property.name, property.test)
	}
}
