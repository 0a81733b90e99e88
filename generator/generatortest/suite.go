// Package generatortest tests implementations of dualprocess.Generator, those of
// this library and yours:
//
//	func TestGenerator(t *testing.T) {
//		generatortest.Run(t, func(ctx context.Context, rt *backends.Runtime) (dualprocess.Generator, error) {
//			return mine.Open(ctx, rt, "testdata/tiny")
//		}, generatortest.Options{})
//	}
//
// What it asks for is what Distill, Sample and Evaluate rely on. Tiny models with
// random weights, small pictures and few steps are enough, and keep it short.
package generatortest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
)

// Open opens the generator to be tested, on a runtime of the suite. The suite calls
// it once and closes the runtime at its end.
type Open func(ctx context.Context, rt *backends.Runtime) (dualprocess.Generator, error)

// Options say what the generator is asked to draw.
type Options struct {
	// Prompts, at least three, that the generator reads and tells apart. nil = three
	// in plain English.
	Prompts []string

	// Backend as in backends.Options; empty = the fastest that is there without a
	// download.
	Backend string

	// Separate says that some layers of the preset, or of all without one, don't have
	// the batch as the leading axis of what they are given, so that pictures with
	// different adapters are made in batches of their own.
	Separate bool
}

// Run tests a generator, each property in a subtest of its own.
func Run(t *testing.T, open Open, o Options) {
	if o.Prompts == nil {
		o.Prompts = []string{"a photo of a red horse", "a house beside the sea", "two dogs"}
	}
	require.GreaterOrEqual(t, len(o.Prompts), 3, "three prompts are needed")
	rt, err := backends.Open(t.Context(), backends.Options{Backend: o.Backend, NoDownload: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, rt.Close()) })
	g, err := open(t.Context(), rt)
	require.NoError(t, err)
	s := newSubject(t, rt, g, o.Prompts)
	for _, property := range []struct {
		name string
		test func(t *testing.T)
	}{
		{"Encode gives equal shapes", s.testEncode},
		{"Conditions are the shapes of Encode", s.testConditions},
		{"Layers are those that Predict adapts", s.testLayers},
		{"it knows its runtime", s.testRuntime},
		{"latents depend on their seed alone", s.testLatents},
		{"a batch equals its rows", s.testBatch},
		{"Predict heeds prompt, step and latents", s.testInputs},
		{"weight 0 is the base model", s.testWeightZero},
		{"gradients reach every matrix", s.testGradients},
		{"Step arrives at what Clean estimates", s.testClean},
		{"Noise goes from noise to clean", s.testNoise},
		{"Predict, Step and Decode agree with Sample", s.testSample},
		{"the same seed gives the same picture", s.testSameSeed},
		{"a cancelled context ends it", s.testCancelled},
		{"Distill is reproducible and can be cancelled", s.testDistill},
		{"Encode works after Release", s.testRelease},
	} {
		t.Run(property.name, property.test)
	}
	if !o.Separate {
		t.Run("adapters work side by side", s.testMixed)
	}
}
