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

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/lora"
)

// toyAdapter returns an adapter of the toy whose numbers are all random.
func (w *toy) toyAdapter(t testing.TB, cfg lora.Config) *lora.Adapter {
	t.Helper()
	layers, err := dualprocess.Layers(w.rt, w.g)
	require.NoError(t, err)
	a, err := lora.New(cfg, layers)
	require.NoError(t, err)
	return withNumbers(t, a, func(random *rand.Rand) float32 { return float32(random.NormFloat64()) / 2 }, cfg.Seed)
}

// withNumbers returns the adapter with other numbers.
func withNumbers(t testing.TB, a *lora.Adapter, number func(*rand.Rand) float32, seed int64) *lora.Adapter {
	t.Helper()
	random, params := rand.New(rand.NewPCG(3, uint64(seed))), a.Params()
	for _, p := range params {
		tensors.MustMutableFlatData(p, func(values []float32) {
			for k := range values {
				values[k] = number(random)
			}
		})
	}
	a, err := a.WithParams(params)
	require.NoError(t, err)
	return a.WithWeight(1)
}

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

// sampled is what Sample makes.
func (w *toy) sampled(t *testing.T, batch int, r dualprocess.Request) []image.Image {
	t.Helper()
	images, err := dualprocess.Sample(background, w.rt, w.g, r.Prompt, dualprocess.SampleOptions{
		Adapter: r.Adapter, Weight: r.Weight, Seeds: r.Seeds, Batch: batch,
	})
	require.NoError(t, err)
	return images
}

// furthest is the largest difference of two pictures' pixels, of 255.
func furthest(t *testing.T, a, b image.Image) (levels int) {
	t.Helper()
	require.Equal(t, a.Bounds(), b.Bounds())
	other := b.(*image.NRGBA)
	for k, x := range a.(*image.NRGBA).Pix {
		levels = max(levels, int(math.Abs(float64(x)-float64(other.Pix[k]))))
	}
	return levels
}

// requests are such of three adapters, in two alphas, and of the base model, at
// several weights and for several prompts.
func requests(t *testing.T, w *toy) (all []dualprocess.Request) {
	adapters := []*lora.Adapter{nil}
	for k := range 3 {
		adapters = append(adapters, w.toyAdapter(t, lora.Config{Rank: 2, Alpha: float64(1 + k/2), Seed: int64(k)}))
	}
	for k := range 24 {
		r := dualprocess.Request{Prompt: toyPrompts[k%3], Adapter: adapters[k%4]}
		for seed := range k%5 + 1 {
			r.Seeds = append(r.Seeds, int64(10*k+seed))
		}
		if k%7 == 0 {
			r.Weight = new(float64(k) / 20)
		}
		all = append(all, r)
	}
	return all
}

func TestSamplerInParallel(t *testing.T) {
	eachBackend(t, func(t *testing.T, w *toy) {
		all := requests(t, w)
		want := make([][]image.Image, len(all))
		for k, r := range all {
			want[k] = w.sampled(t, 4, r)
		}
		for name, o := range map[string]dualprocess.SamplerOptions{
			"side by side": {Batch: 4, Adapters: 4, Prompts: 4}, "separate": {Batch: 4, Separate: true},
		} {
			t.Run(name, func(t *testing.T) {
				s, err := dualprocess.NewSampler(w.rt, w.g, o)
				require.NoError(t, err)
				defer s.Close()
				var group sync.WaitGroup
				for k, r := range all {
					group.Go(func() {
						images, err := s.Sample(background, r)
						if !assert.NoError(t, err) || !assert.Len(t, images, len(want[k])) {
							return
						}
						for j, img := range images {
							if o.Separate {
								assert.Equal(t, want[k][j], img, "request %d", k)
							} else {
								assert.LessOrEqual(t, furthest(t, want[k][j], img), 1, "request %d", k)
							}
						}
					})
				}
				group.Wait()
			})
		}
	})
}

func TestAnotherAdapterCompilesNothing(t *testing.T) {
	w := newToy(t, "go")
	s, err := dualprocess.NewSampler(w.rt, w.g, dualprocess.SamplerOptions{Batch: 2})
	require.NoError(t, err)
	defer s.Close()
	compiled := 0
	for seed := range int64(12) {
		r := dualprocess.Request{Prompt: toyPrompts[seed%3], Adapter: w.toyAdapter(t, lora.Config{Rank: 2, Seed: seed}), Seeds: []int64{seed, seed + 1}}
		images, err := s.Sample(background, r)
		require.NoError(t, err)
		require.Equal(t, w.sampled(t, 2, r), images)
		if seed == 0 {
			compiled = graphs.StatsOf(w.rt).Compiled
		}
	}
	require.Equal(t, compiled, graphs.StatsOf(w.rt).Compiled)
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
		return errors.Is(err, dualprocess.ErrClosed)
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

// timed is a generator one of whose layers gets one row for the whole batch, as the
// embeddings of time do.
type timed struct{ *toyGenerator }

func (g timed) Predict(d *lora.Delta, latents, i *Node, cond []*Node) *Node {
	prediction := g.toyGenerator.Predict(d, latents, i, cond)
	time := BroadcastToDims(Reshape(g.sigma(i), 1, 1), 1, toyLatents)
	return Add(prediction, BroadcastToDims(d.Linear("time", time, ZerosLike(time)), prediction.Shape().Dimensions...))
}

// TestLayersThatDoNotSeeTheBatch has adapters of such a layer and adapters of others.
func TestLayersThatDoNotSeeTheBatch(t *testing.T) {
	w := newToy(t, "go")
	g := timed{w.g}
	layers, err := dualprocess.Layers(w.rt, g)
	require.NoError(t, err)
	require.Len(t, layers, 3)
	var all []dualprocess.Request
	for k := range int64(8) {
		cfg := lora.Config{Rank: 2, Seed: k}
		if k%2 == 0 {
			cfg.Targets = []string{"mix", "out"}
		}
		a, err := lora.New(cfg, layers)
		require.NoError(t, err)
		a = withNumbers(t, a, func(random *rand.Rand) float32 { return float32(random.NormFloat64()) / 2 }, k)
		all = append(all, dualprocess.Request{Prompt: "sea", Seeds: []int64{k}, Adapter: a})
	}
	want := make([]image.Image, len(all))
	for k, r := range all {
		images, err := dualprocess.Sample(background, w.rt, g, r.Prompt, dualprocess.SampleOptions{Seeds: r.Seeds, Adapter: r.Adapter, Batch: 4})
		require.NoError(t, err)
		want[k] = images[0]
	}
	s, err := dualprocess.NewSampler(w.rt, g, dualprocess.SamplerOptions{Batch: 4})
	require.NoError(t, err)
	defer s.Close()
	var group sync.WaitGroup
	for k, r := range all {
		group.Go(func() {
			images, err := s.Sample(background, r)
			if assert.NoError(t, err) {
				assert.LessOrEqual(t, furthest(t, want[k], images[0]), 1)
			}
		})
	}
	group.Wait()
}

// guiding is a generator that is guided away from a second prompt, "desert" by itself.
type guiding struct {
	*toyGenerator
	scale float64
}

func (g guiding) Guides() bool { return g.scale != 0 }

func (g guiding) Encode(ctx context.Context, prompt string) (dualprocess.Inputs, error) {
	return g.EncodeGuided(ctx, prompt, "desert")
}

func (g guiding) EncodeGuided(ctx context.Context, prompt, negative string) (dualprocess.Inputs, error) {
	wanted, err := g.toyGenerator.Encode(ctx, prompt)
	if err != nil {
		return nil, err
	}
	unwanted, err := g.toyGenerator.Encode(ctx, negative)
	return append(wanted, unwanted...), err
}

func (g guiding) Conditions() []shapes.Shape {
	return slices.Repeat(g.toyGenerator.Conditions(), 2)
}

func (g guiding) Predict(d *lora.Delta, latents, i *Node, cond []*Node) *Node {
	wanted := g.toyGenerator.Predict(d, latents, i, cond[:1])
	unwanted := g.toyGenerator.Predict(d, latents, i, cond[1:])
	return Add(wanted, MulScalar(Sub(wanted, unwanted), g.scale))
}

func TestNegativePrompts(t *testing.T) {
	w := newToy(t, "go")
	_, err := dualprocess.Sample(background, w.rt, w.g, "sea", dualprocess.SampleOptions{Negative: "meadow"})
	requireMistake(t, err, "Negative")
	_, err = dualprocess.Sample(background, w.rt, guiding{w.g, 0}, "sea", dualprocess.SampleOptions{Negative: "meadow"})
	requireMistake(t, err, "Negative")

	s, err := dualprocess.NewSampler(w.rt, guiding{w.g, 2}, dualprocess.SamplerOptions{Batch: 2})
	require.NoError(t, err)
	defer s.Close()
	sample := func(negative string) image.Image {
		images, err := s.Sample(background, dualprocess.Request{Prompt: "sea", Negative: negative})
		require.NoError(t, err)
		return images[0]
	}
	require.Equal(t, sample(""), sample("desert"))
	require.NotEqual(t, sample(""), sample("meadow"))
	require.NotEqual(t, sample("sea"), sample("meadow"))
	_, err = s.Sample(background, dualprocess.Request{Prompt: "sea", Negative: "zebra"})
	require.ErrorIs(t, err, dualprocess.ErrPrompt)
}

// furious is a generator whose host methods panic.
type furious struct{ *toyGenerator }

func (f furious) Encode(ctx context.Context, prompt string) (dualprocess.Inputs, error) {
	if prompt == "meadow" {
		panic("no meadow")
	}
	return f.toyGenerator.Encode(ctx, prompt)
}

func (f furious) Latents(seeds ...int64) (*tensors.Tensor, error) {
	if slices.Contains(seeds, 13) {
		panic("unlucky")
	}
	return f.toyGenerator.Latents(seeds...)
}

func TestPanicsDoNotEndTheProcess(t *testing.T) {
	w := newToy(t, "go")
	s, err := dualprocess.NewSampler(w.rt, furious{w.g}, dualprocess.SamplerOptions{})
	require.NoError(t, err)
	defer s.Close()
	_, err = s.Sample(background, dualprocess.Request{Prompt: "meadow"})
	require.ErrorContains(t, err, "no meadow")
	_, err = s.Sample(background, dualprocess.Request{Prompt: "sea", Seeds: []int64{13}})
	require.ErrorContains(t, err, "unlucky")
	_, err = s.Sample(background, dualprocess.Request{Prompt: "sea"})
	require.NoError(t, err)
}
