package dualprocess_test

import (
	"context"
	"errors"
	"image"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/lora"
)

// gated is a generator that begins no batch before its gate is open, and that knows
// which seeds each batch had.
type gated struct {
	*toyGenerator
	gate chan struct{} // closed = open

	mu       sync.Mutex
	batches  [][]int64
	released int
}

func newGated(w *toy) *gated { return &gated{toyGenerator: w.g, gate: make(chan struct{})} }

func (g *gated) Latents(seeds ...int64) (*tensors.Tensor, error) {
	if !slices.Equal(seeds, []int64{0}) { // which is a trace
		<-g.gate
		g.mu.Lock()
		g.batches = append(g.batches, slices.Clone(seeds))
		g.mu.Unlock()
	}
	return g.toyGenerator.Latents(seeds...)
}

func (g *gated) Release() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.released++
	return nil
}

// answer is what a request got.
type answer struct {
	images []image.Image
	err    error
	done   chan struct{}
}

// line puts requests into a sampler's queue, one behind the other.
type line struct {
	t       *testing.T
	sampler *dualprocess.Sampler
	answers []*answer
}

// ask puts a request behind the others. The first must be waiting at the gate.
func (l *line) ask(ctx context.Context, r dualprocess.Request) *answer {
	l.t.Helper()
	a := &answer{done: make(chan struct{})}
	l.answers = append(l.answers, a)
	go func() {
		defer close(a.done)
		a.images, a.err = l.sampler.Sample(ctx, r)
	}()
	require.Eventually(l.t, func() bool { return l.sampler.Waiting() == len(l.answers) }, time.Minute, time.Millisecond)
	return a
}

// wait waits for all answers.
func (l *line) wait() {
	for _, a := range l.answers {
		<-a.done
	}
}

// newLine returns the line of a gated sampler whose first request has seed 1.
func newLine(t *testing.T, w *toy, o dualprocess.SamplerOptions) (*gated, *line) {
	t.Helper()
	g := newGated(w)
	s, err := dualprocess.NewSampler(w.rt, g, o)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	l := &line{t: t, sampler: s}
	l.ask(background, dualprocess.Request{Prompt: "sea", Seeds: []int64{1}})
	return g, l
}

func TestBatchesAreOfTheFirstThatWait(t *testing.T) {
	w := newToy(t, "go")
	a, b := w.toyAdapter(t, lora.Config{Rank: 2, Seed: 1}), w.toyAdapter(t, lora.Config{Rank: 2, Seed: 2})
	c := w.toyAdapter(t, lora.Config{Rank: 1})
	for name, test := range map[string]struct {
		separate bool
		want     [][]int64
	}{
		"side by side": {false, [][]int64{{1, 1, 1}, {2, 3, 4}, {5, 6, 8}, {7, 9, 9}}},
		"separate":     {true, [][]int64{{1, 1, 1}, {2, 3, 4}, {5, 8, 8}, {6, 6, 6}, {7, 7, 7}, {9, 9, 9}}},
	} {
		t.Run(name, func(t *testing.T) {
			g, l := newLine(t, w, dualprocess.SamplerOptions{Batch: 3, Separate: test.separate})
			l.ask(background, dualprocess.Request{Prompt: "sea", Adapter: a, Seeds: []int64{2, 3, 4, 5}})
			l.ask(background, dualprocess.Request{Prompt: "meadow", Adapter: b, Seeds: []int64{6}})
			l.ask(background, dualprocess.Request{Prompt: "meadow", Adapter: c, Seeds: []int64{7}}) // of another rank
			l.ask(background, dualprocess.Request{Prompt: "desert", Adapter: a, Seeds: []int64{8}})
			l.ask(background, dualprocess.Request{Prompt: "desert", Seeds: []int64{9}})
			close(g.gate)
			l.wait()
			require.Equal(t, test.want, g.batches)
			require.Equal(t, 2, g.released, "all prompts that wait are encoded before the encoders are freed")
			for _, a := range l.answers {
				require.NoError(t, a.err)
			}
		})
	}
}

func TestOneRequestFailsAlone(t *testing.T) {
	w := newToy(t, "go")
	foreign, err := lora.New(lora.Config{Rank: 2}, []lora.Layer{{Name: "other", In: 8, Out: 8}})
	require.NoError(t, err)
	good := w.toyAdapter(t, lora.Config{Rank: 2})
	huge := withNumbers(t, good, func(*rand.Rand) float32 { return math.MaxFloat32 }, 0)
	g, l := newLine(t, w, dualprocess.SamplerOptions{Batch: 8})
	for _, r := range []dualprocess.Request{
		{Prompt: "sea", Seeds: []int64{2}, Adapter: huge}, {Prompt: "zebra", Seeds: []int64{2}},
		{Prompt: "sea", Seeds: []int64{2}, Adapter: foreign}, {Prompt: "sea", Seeds: []int64{2}, Adapter: good},
		{Prompt: "desert", Seeds: []int64{2, 3}},
	} {
		l.ask(background, r)
	}
	close(g.gate)
	l.wait()
	require.Equal(t, [][]int64{{1, 1, 1, 1, 1, 1, 1, 1}, {2, 2, 2, 3, 3, 3, 3, 3}}, g.batches, "in one batch")
	require.ErrorIs(t, l.answers[1].err, dualprocess.ErrNotFinite)
	require.Nil(t, l.answers[1].images)
	require.ErrorIs(t, l.answers[2].err, dualprocess.ErrPrompt)
	requireMistake(t, l.answers[3].err, "Adapter")
	for k, r := range map[int]dualprocess.Request{4: {Prompt: "sea", Seeds: []int64{2}, Adapter: good}, 5: {Prompt: "desert", Seeds: []int64{2, 3}}} {
		require.NoError(t, l.answers[k].err)
		for j, img := range w.sampled(t, 8, r) {
			require.LessOrEqual(t, furthest(t, img, l.answers[k].images[j]), 1)
		}
	}
}

func TestWaitingIsCancelledAtOnce(t *testing.T) {
	w := newToy(t, "go")
	g, l := newLine(t, w, dualprocess.SamplerOptions{Batch: 2})
	ctx, cancel := context.WithCancel(background)
	quick := l.ask(ctx, dualprocess.Request{Prompt: "sea", Seeds: []int64{2}})
	l.ask(background, dualprocess.Request{Prompt: "sea", Seeds: []int64{3}})
	cancel()
	<-quick.done // while the gate is closed
	require.ErrorIs(t, quick.err, context.Canceled)
	close(g.gate)
	l.wait()
	require.Equal(t, [][]int64{{1, 1}, {3, 3}}, g.batches)
	require.NoError(t, l.answers[0].err)
	require.NoError(t, l.answers[2].err)
}

func TestNobodyWaitsForABatch(t *testing.T) {
	w := newToy(t, "go")
	g := newGated(w)
	s, err := dualprocess.NewSampler(w.rt, g, dualprocess.SamplerOptions{})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(background)
	l := &line{t: t, sampler: s}
	l.ask(ctx, dualprocess.Request{Prompt: "sea", Seeds: []int64{1, 2, 3}})
	cancel()
	l.wait()
	require.ErrorIs(t, l.answers[0].err, context.Canceled)
	close(g.gate)
	s.Close()
	require.LessOrEqual(t, len(g.batches), 1, "nothing is made for nobody")
}

func TestCloseWaits(t *testing.T) {
	w := newToy(t, "go")
	g, l := newLine(t, w, dualprocess.SamplerOptions{Batch: 2})
	l.ask(background, dualprocess.Request{Prompt: "sea", Seeds: []int64{2, 3, 4}})
	closed := make(chan struct{})
	for range 2 {
		go func() { l.sampler.Close(); closed <- struct{}{} }()
	}
	refused := func() bool {
		ctx, cancel := context.WithTimeout(background, time.Millisecond)
		defer cancel()
		_, err := l.sampler.Sample(ctx, dualprocess.Request{Prompt: "sea"})
		return errors.Is(err, backends.ErrClosed)
	}
	require.Eventually(t, refused, time.Minute, time.Millisecond)
	select {
	case <-closed:
		t.Fatal("Close does not wait")
	default:
	}
	close(g.gate)
	<-closed
	<-closed
	l.wait()
	for _, a := range l.answers {
		require.NoError(t, a.err)
	}
	require.Len(t, l.answers[1].images, 3)
}

func TestSamplerOfAClosedRuntime(t *testing.T) {
	w := newToy(t, "go")
	g, l := newLine(t, w, dualprocess.SamplerOptions{})
	l.ask(background, dualprocess.Request{Prompt: "sea", Seeds: []int64{2}})
	closed := make(chan error)
	go func() { closed <- w.rt.Close() }()
	require.Eventually(t, func() bool {
		done, err := w.rt.Use()
		if err == nil {
			done()
		}
		return err != nil
	}, time.Minute, time.Millisecond)
	close(g.gate)
	l.wait()
	require.NoError(t, <-closed)
	for _, a := range l.answers {
		require.ErrorIs(t, a.err, backends.ErrClosed)
	}
	_, err := l.sampler.Sample(background, dualprocess.Request{Prompt: "sea"})
	requireMistake(t, err, "Runtime")
}
