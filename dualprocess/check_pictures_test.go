package dualprocess_test

import (
	"context"
	"image"
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/lora"
)

// What callers of the functions that make and rate pictures may get wrong.

func TestEvaluateFindsMistakes(t *testing.T) {
	w, other := newToy(t, "go"), open(t)
	for _, test := range []struct {
		field string
		spoil func(e *dualprocess.Evaluation)
	}{
		{"Runtime", func(e *dualprocess.Evaluation) { e.Runtime = closed(t) }},
		{"Generator", func(e *dualprocess.Evaluation) { e.Generator = (*toyGenerator)(nil) }},
		{"Generator", func(e *dualprocess.Evaluation) { e.Generator = homelyGenerator{w.g, other} }},
		{"Verifier", func(e *dualprocess.Evaluation) { e.Verifier = (*toyVerifier)(nil) }},
		{"Verifier", func(e *dualprocess.Evaluation) { e.Verifier = homelyVerifier{w.v, closed(t)} }},
		{"Verifier", func(e *dualprocess.Evaluation) { e.Scorer = scorerFunc(nil) }},
		{"Scorer", func(e *dualprocess.Evaluation) { e.Verifier, e.Scorer = nil, scorerFunc(nil) }},
		{"Questions[0].Overlay", func(e *dualprocess.Evaluation) { e.Questions[0].Overlay = faulty{} }},
		{"Questions[0].Prompts[0]", func(e *dualprocess.Evaluation) { e.Questions[0].Prompts = []string{"see"} }},
		{"Weights[1]", func(e *dualprocess.Evaluation) { e.Weights = []float64{0, math.NaN()} }},
		{"Batch", func(e *dualprocess.Evaluation) { e.Batch = 1e9 }},
	} {
		e := dualprocess.Evaluation{
			Runtime: w.rt, Generator: w.g, Verifier: w.v, Prompts: []string{"sea"}, Seeds: []int64{1},
			Questions: []dualprocess.Question{{Text: "red", Answer: "Yes"}},
		}
		test.spoil(&e)
		_, err := dualprocess.Evaluate(background, e)
		requireMistake(t, err, test.field)
	}
	_, err := dualprocess.Evaluate(noContext, dualprocess.Evaluation{})
	requireMistake(t, err, "Context")
	assert.Zero(t, w.g.predicts.Load())
}

func TestSampleFindsMistakes(t *testing.T) {
	w := newToy(t, "go")
	foreign, err := lora.New(lora.Config{Rank: 2}, []lora.Layer{{Name: "other", In: 8, Out: 8}})
	require.NoError(t, err)
	for _, test := range []struct {
		field string
		ctx   context.Context
		rt    *backends.Runtime
		g     dualprocess.Generator
		o     dualprocess.SampleOptions
	}{
		{"Context", noContext, w.rt, w.g, dualprocess.SampleOptions{}},
		{"Runtime", background, nil, w.g, dualprocess.SampleOptions{}},
		{"Generator", background, w.rt, nil, dualprocess.SampleOptions{}},
		{"Generator", background, w.rt, (*toyGenerator)(nil), dualprocess.SampleOptions{}},
		{"Generator", background, w.rt, homelyGenerator{w.g, open(t)}, dualprocess.SampleOptions{}},
		{"Weight", background, w.rt, w.g, dualprocess.SampleOptions{Weight: new(math.NaN())}},
		{"Batch", background, w.rt, w.g, dualprocess.SampleOptions{Batch: -1}},
		{"Batch", background, w.rt, w.g, dualprocess.SampleOptions{Batch: 1e9}},
		{"Adapter", background, w.rt, w.g, dualprocess.SampleOptions{Adapter: foreign}},
	} {
		images, err := dualprocess.Sample(test.ctx, test.rt, test.g, "sea", test.o)
		assert.Nil(t, images)
		requireMistake(t, err, test.field)
	}
}

func TestSamplerFindsMistakes(t *testing.T) {
	w := newToy(t, "go")
	for field, make := range map[string]func() (*dualprocess.Sampler, error){
		"Runtime": func() (*dualprocess.Sampler, error) {
			return dualprocess.NewSampler(nil, w.g, dualprocess.SamplerOptions{})
		},
		"Generator": func() (*dualprocess.Sampler, error) {
			return dualprocess.NewSampler(w.rt, nil, dualprocess.SamplerOptions{})
		},
		"Batch": func() (*dualprocess.Sampler, error) {
			return dualprocess.NewSampler(w.rt, w.g, dualprocess.SamplerOptions{Batch: -1})
		},
		"Prompts": func() (*dualprocess.Sampler, error) {
			return dualprocess.NewSampler(w.rt, w.g, dualprocess.SamplerOptions{Batch: 4, Prompts: 3})
		},
		"Adapters": func() (*dualprocess.Sampler, error) {
			return dualprocess.NewSampler(w.rt, w.g, dualprocess.SamplerOptions{Adapters: -1})
		},
	} {
		s, err := make()
		assert.Nil(t, s)
		requireMistake(t, err, field)
	}
	noise, err := w.g.Latents(1)
	require.NoError(t, err)
	s, err := dualprocess.NewSampler(w.rt, w.g, dualprocess.SamplerOptions{})
	require.NoError(t, err)
	freed := tensors.FromScalar(float32(1))
	freed.MustFinalizeAll()
	for name, latents := range map[string]*tensors.Tensor{
		"nil": nil, "freed": freed, "zero": {}, "scalar": tensors.FromScalar(float32(1)),
		"short": tensors.FromFlatDataAndDimensions(make([]float32, 7), 1, 7),
		"ints":  tensors.FromFlatDataAndDimensions(make([]int32, 8), 1, 8),
		"empty": tensors.FromFlatDataAndDimensions([]float32{}, 0, 8),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.Render(background, dualprocess.Request{Prompt: "sea"}, latents)
			requireMistake(t, err, "Latents")
		})
	}
	for _, call := range []func(ctx context.Context, weight float64) error{
		func(ctx context.Context, weight float64) error {
			_, err := s.Sample(ctx, dualprocess.Request{Prompt: "sea", Weight: &weight})
			return err
		},
		func(ctx context.Context, weight float64) error {
			_, err := s.Render(ctx, dualprocess.Request{Prompt: "sea", Weight: &weight}, noise)
			return err
		},
	} {
		require.NoError(t, call(background, 0))
		requireMistake(t, call(noContext, 0), "Context")
		requireMistake(t, call(background, math.NaN()), "Weight")
		requireMistake(t, call(background, math.Inf(-1)), "Weight")
	}
	s.Close()
	s.Close()
	for _, s := range []*dualprocess.Sampler{s, {}, nil} {
		_, err := s.Sample(background, dualprocess.Request{Prompt: "sea"})
		requireMistake(t, err, "Sampler")
		_, err = s.Render(background, dualprocess.Request{Prompt: "sea"}, noise)
		requireMistake(t, err, "Sampler")
		s.Close()
	}
}

func TestScoreFindsMistakes(t *testing.T) {
	w := newToy(t, "go")
	red := []dualprocess.Question{{Text: "red", Answer: "Yes"}}
	img := image.NewGray(image.Rect(0, 0, 4, 4))
	for _, test := range []struct {
		field     string
		ctx       context.Context
		rt        *backends.Runtime
		v         dualprocess.Verifier
		questions []dualprocess.Question
		images    []image.Image
	}{
		{"Context", noContext, w.rt, w.v, red, []image.Image{img}},
		{"Runtime", background, nil, w.v, red, []image.Image{img}},
		{"Verifier", background, w.rt, nil, red, []image.Image{img}},
		{"Verifier", background, w.rt, (*toyVerifier)(nil), red, []image.Image{img}},
		{"Verifier", background, w.rt, homelyVerifier{w.v, open(t)}, red, []image.Image{img}},
		{"Questions", background, w.rt, w.v, nil, []image.Image{img}},
		{"Questions[0].Overlay", background, w.rt, w.v, []dualprocess.Question{{Text: "red", Answer: "Yes", Overlay: faulty{}}}, []image.Image{img}},
		{"Images", background, w.rt, w.v, red, nil},
		{"Images[1]", background, w.rt, w.v, red, []image.Image{img, nil}},
		{"Images[0]", background, w.rt, w.v, red, []image.Image{(*image.Gray)(nil)}},
		{"Images[0]", background, w.rt, w.v, red, []image.Image{&image.Gray{}}},
		{"Images[0]", background, w.rt, w.v, red, []image.Image{image.White}}, // endless
		{"Images[1]", background, w.rt, w.v, red, []image.Image{img, image.NewGray(image.Rect(0, 0, 4, 5))}},
	} {
		_, err := dualprocess.Score(test.ctx, test.rt, test.v, test.questions, test.images...)
		requireMistake(t, err, test.field)
	}
}
