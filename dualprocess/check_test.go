package dualprocess_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/lora"
	"github.com/dualprocess/dualprocess-go/overlay"
)

var noContext context.Context // nil

// requireMistake checks that an error says, once, which package and which field.
func requireMistake(t *testing.T, err error, field string) {
	t.Helper()
	require.ErrorIs(t, err, dualprocess.ErrTask)
	require.True(t, strings.HasPrefix(err.Error(), "dualprocess: invalid task: "+field+": "), "%v", err)
	require.Equal(t, 1, strings.Count(err.Error(), "dualprocess: "), "%v", err)
}

// open returns another runtime.
func open(t *testing.T) *backends.Runtime {
	rt, err := backends.Open(background, backends.Options{Backend: "go", NoDownload: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, rt.Close()) })
	return rt
}

// closed returns a runtime that is.
func closed(t *testing.T) *backends.Runtime {
	rt := open(t)
	require.NoError(t, rt.Close())
	return rt
}

// homely are models that know their runtime.
type (
	homelyGenerator struct {
		*toyGenerator
		rt *backends.Runtime
	}
	homelyVerifier struct {
		*toyVerifier
		rt *backends.Runtime
	}
)

func (h homelyGenerator) Runtime() *backends.Runtime { return h.rt }
func (h homelyVerifier) Runtime() *backends.Runtime  { return h.rt }

// faulty is an overlay that says that it is not sound.
type faulty struct{ bar }

var errFaulty = errors.New("no picture")

func (faulty) Validate() error { return errFaulty }

func TestDistillFindsMistakes(t *testing.T) {
	w, other := newToy(t, "go"), open(t)
	nan, one := math.NaN(), []dualprocess.Question{{Text: "red", Answer: "Yes"}}
	for _, test := range []struct {
		field string
		spoil func(k *dualprocess.Task)
	}{
		{"Runtime", func(k *dualprocess.Task) { k.Runtime = &backends.Runtime{} }},
		{"Runtime", func(k *dualprocess.Task) { k.Runtime = closed(t) }},
		{"Generator", func(k *dualprocess.Task) { k.Generator = (*toyGenerator)(nil) }},
		{"Generator", func(k *dualprocess.Task) { k.Generator = homelyGenerator{w.g, other} }},
		{"Generator", func(k *dualprocess.Task) { k.Generator = homelyGenerator{w.g, nil} }},
		{"Verifier", func(k *dualprocess.Task) { k.Verifier = (*toyVerifier)(nil) }},
		{"Verifier", func(k *dualprocess.Task) { k.Verifier = homelyVerifier{w.v, other} }},
		{"Questions[0].Overlay", func(k *dualprocess.Task) { k.Questions[0].Overlay = (*bar)(nil) }},
		{"Questions[0].Overlay", func(k *dualprocess.Task) { k.Questions[0].Overlay = faulty{} }},
		{"Questions[0].Overlay", func(k *dualprocess.Task) { k.Questions[0].Overlay = overlay.Solid{} }},
		{"Questions[0].Overlay", func(k *dualprocess.Task) { k.Questions[0].Overlay = overlay.Solid{Picture: &image.NRGBA{}} }},
		{"Questions[0].Overlay", func(k *dualprocess.Task) {
			k.Questions[0].Overlay = overlay.Transparent{Picture: overlay.HorizonLine{}, Opacity: 1.5}
		}},
		{"Questions[0].Weight", func(k *dualprocess.Task) { k.Questions[0].Weight = nan }},
		{"Questions[0].Weight", func(k *dualprocess.Task) { k.Questions[0].Weight = -1 }},
		{"Questions[0].Weight", func(k *dualprocess.Task) { k.Questions[0].Weight = math.Inf(1) }},
		{"Questions[0].Weight", func(k *dualprocess.Task) { k.Questions[0].Weight = 1e-30 }},
		{"Questions[0].Prompts[1]", func(k *dualprocess.Task) { k.Questions[0].Prompts = []string{"sea", "see"} }},
		{"Prompts[1]", func(k *dualprocess.Task) {
			k.Prompts, k.Questions[0].Prompts = []string{"sea", "meadow"}, []string{"sea"}
		}},
		{"Adapter.Rank", func(k *dualprocess.Task) { k.Adapter.Rank = 1e9 }},
		{"Adapter", func(k *dualprocess.Task) { k.Adapter.Rank = -1 }},
		{"Adapter", func(k *dualprocess.Task) { k.Adapter.Alpha = nan }},
		{"Start", func(k *dualprocess.Task) { k.Adapter, k.Start = lora.Config{}, (&lora.Adapter{}).WithWeight(1) }},
		{"Weight", func(k *dualprocess.Task) { k.Weight = nan }},
		{"Batch", func(k *dualprocess.Task) { k.Batch = 1e9 }},
		{"Accumulate", func(k *dualprocess.Task) { k.Accumulate = 1e9 }},
		{"SeedCount", func(k *dualprocess.Task) { k.Updates = math.MaxInt32 }},
		{"SeedCount", func(k *dualprocess.Task) { k.SeedCount = 1e9 }},
	} {
		task := w.task()
		task.Questions = append([]dualprocess.Question(nil), one...)
		test.spoil(&task)
		a, err := dualprocess.Distill(background, task)
		assert.Nil(t, a)
		requireMistake(t, err, test.field)
	}
	_, err := dualprocess.Distill(noContext, w.task())
	requireMistake(t, err, "Context")
	assert.Zero(t, w.g.predicts.Load(), "found before any work")

	task := w.task()
	task.Questions[0].Overlay = faulty{}
	_, err = dualprocess.Distill(background, task)
	require.ErrorIs(t, err, errFaulty)
	task.Generator, task.Verifier = homelyGenerator{w.g, w.rt}, homelyVerifier{w.v, w.rt}
	task.Questions[0].Overlay = bar{1, .5}
	task.Updates = 1
	distil(t, task)
}

// TestMistakesReadWell: counts are printed as counts, and a number without bounds as
// one that has none.
func TestMistakesReadWell(t *testing.T) {
	w := newToy(t, "go")
	for want, spoil := range map[string]func(k *dualprocess.Task){
		"Updates: must be in [1, 2147483647], not -1":       func(k *dualprocess.Task) { k.Updates = -1 },
		"Batch: must be in [1, 65536], not 1000000000":      func(k *dualprocess.Task) { k.Batch = 1e9 },
		"Drift: must be at least 0 and finite, not NaN":     func(k *dualprocess.Task) { k.Drift = math.NaN() },
		"Clip: must be finite, not +Inf":                    func(k *dualprocess.Task) { k.Clip = math.Inf(1) },
		"LearningRate: must be positive and finite, not -1": func(k *dualprocess.Task) { k.LearningRate = -1 },
		"DecayTo: must be in [0, 1], not 1.5":               func(k *dualprocess.Task) { k.DecayTo = 1.5 },
		"Runtime: closed":                                   func(k *dualprocess.Task) { k.Runtime = closed(t) },
	} {
		task := w.task()
		spoil(&task)
		_, err := dualprocess.Distill(background, task)
		require.EqualError(t, err, "dualprocess: invalid task: "+want)
	}
}

func TestMemoryIsAskedForFirst(t *testing.T) {
	w := newToy(t, "go")
	task := w.task()
	task.Generator = wide{w.g}
	task.Adapter.Rank = 1 << 14
	_, err := dualprocess.Distill(background, task)
	requireMistake(t, err, "Adapter.Rank")

	task = w.task()
	task.Generator = huge{w.g}
	task.Batch = 1 << 16
	_, err = dualprocess.Distill(background, task)
	requireMistake(t, err, "Batch")
	_, err = dualprocess.Sample(background, w.rt, huge{w.g}, "sea", dualprocess.SampleOptions{Batch: 1 << 16})
	requireMistake(t, err, "Batch")
	_, err = dualprocess.Evaluate(background, dualprocess.Evaluation{
		Runtime: w.rt, Generator: huge{w.g}, Verifier: w.v, Batch: 1 << 16,
		Prompts: task.Prompts, Seeds: []int64{1}, Questions: task.Questions,
	})
	requireMistake(t, err, "Batch")
}

// TestOverlayMustFit: once the pictures' size is known, and before anything is
// compiled.
func TestOverlayMustFit(t *testing.T) {
	w := newToy(t, "go")
	task := w.task()
	tall := overlay.Solid{Picture: image.NewGray(image.Rect(0, 0, 4, 40))}
	task.Questions = append(task.Questions, dualprocess.Question{Text: "red", Answer: "Yes", Overlay: tall})
	a, err := dualprocess.Distill(background, task)
	require.Nil(t, a)
	requireMistake(t, err, fmt.Sprintf("Questions[%d].Overlay", len(task.Questions)-1))
	require.ErrorIs(t, err, overlay.ErrOptions)
}

// wide has a layer of many inputs, which nothing reads.
type wide struct{ *toyGenerator }

func (g wide) Predict(d *lora.Delta, latents, i *Node, cond []*Node) *Node {
	many := BroadcastToDims(ReduceAndKeep(latents, ReduceSum, 1), latents.Shape().Dim(0), 1<<21)
	y := ReduceAndKeep(many, ReduceSum, 1)
	return Add(g.toyGenerator.Predict(d, latents, i, cond), MulScalar(d.Linear("wide", many, y), 0))
}

// huge draws pictures of many pixels.
type huge struct{ *toyGenerator }

func (g huge) Decode(latents *Node) *Node {
	small := g.toyGenerator.Decode(latents)
	return BroadcastToDims(ReduceAndKeep(small, ReduceMean, 1, 2), small.Shape().Dim(0), 1<<12, 1<<12, 3)
}

func TestOptimizeLatentsFindsMistakes(t *testing.T) {
	w, other := newToy(t, "go"), open(t)
	for _, test := range []struct {
		field string
		spoil func(l *dualprocess.LatentTask)
	}{
		{"Runtime", func(l *dualprocess.LatentTask) { l.Runtime = closed(t) }},
		{"Generator", func(l *dualprocess.LatentTask) { l.Generator = (*toyGenerator)(nil) }},
		{"Generator", func(l *dualprocess.LatentTask) { l.Generator = homelyGenerator{w.g, other} }},
		{"Verifier", func(l *dualprocess.LatentTask) { l.Verifier = (*toyVerifier)(nil) }},
		{"Verifier", func(l *dualprocess.LatentTask) { l.Verifier = homelyVerifier{w.v, other} }},
		{"Questions[0].Overlay", func(l *dualprocess.LatentTask) { l.Questions[0].Overlay = faulty{} }},
		{"Questions[0].Prompts[0]", func(l *dualprocess.LatentTask) { l.Questions[0].Prompts = []string{"meadow"} }},
		{"Clip", func(l *dualprocess.LatentTask) { l.Clip = math.NaN() }},
	} {
		task := w.latentTask(1)
		test.spoil(&task)
		r, err := dualprocess.OptimizeLatents(background, task)
		assert.Nil(t, r)
		requireMistake(t, err, test.field)
	}
	_, err := dualprocess.OptimizeLatents(noContext, w.latentTask(1))
	requireMistake(t, err, "Context")
	assert.Zero(t, w.g.predicts.Load())

	task := w.latentTask(make([]int64, 10000)...)
	task.Generator = huge{w.g}
	_, err = dualprocess.OptimizeLatents(background, task)
	requireMistake(t, err, "Seeds")
}

func TestLayersFindsMistakes(t *testing.T) {
	w := newToy(t, "go")
	_, err := dualprocess.Layers(nil, w.g)
	requireMistake(t, err, "Runtime")
	_, err = dualprocess.Layers(w.rt, nil)
	requireMistake(t, err, "Generator")
	_, err = dualprocess.Layers(open(t), homelyGenerator{w.g, w.rt})
	requireMistake(t, err, "Generator")
}

func TestErrorsSayThePackageOnce(t *testing.T) {
	w := newToy(t, "go")
	cause := errors.New("a cause")
	for _, b := range []dualprocess.Generator{breaking{w.g, cause}, late{w.g, cause}} {
		task := w.task()
		task.Generator = b
		_, distil := dualprocess.Distill(background, task)
		_, sample := dualprocess.Sample(background, w.rt, b, "sea", dualprocess.SampleOptions{})
		_, evaluate := dualprocess.Evaluate(background, dualprocess.Evaluation{
			Runtime: w.rt, Generator: b, Verifier: w.v, Prompts: task.Prompts, Seeds: []int64{1}, Questions: task.Questions,
		})
		latents := w.latentTask(1)
		latents.Generator = b
		_, optimize := dualprocess.OptimizeLatents(background, latents)
		for _, err := range []error{distil, sample, evaluate, optimize} {
			require.ErrorIs(t, err, cause)
			assert.Equal(t, 1, strings.Count(err.Error(), "dualprocess:"), "%v", err)
			assert.NotContains(t, err.Error(), "failed")
			assert.NotContains(t, err.Error(), "panic")
			assert.True(t, strings.HasSuffix(err.Error(), "a cause"), "%v", err)
		}
	}
	task := w.task()
	task.Generator = late{w.g, cause}
	_, err := dualprocess.Distill(background, task)
	assert.Regexp(t, `^dualprocess: (denoise|gradient): a cause$`, err.Error())
	task.Prompts = []string{"sea " + strings.Repeat("upon sea ", 1000) + "at last"}
	_, err = dualprocess.Distill(background, task)
	assert.ErrorContains(t, err, `encode prompt "sea upon sea`)
	assert.ErrorContains(t, err, `sea at last":`)
}

// late is a generator whose Predict panics when it is no longer traced.
type late struct {
	*toyGenerator
	with any
}

func (l late) Predict(d *lora.Delta, latents, i *Node, cond []*Node) *Node {
	if latents.Graph().Name() != "trace" {
		panic(l.with)
	}
	return l.toyGenerator.Predict(d, latents, i, cond)
}
