package dualprocess_test

import (
	"image"
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/lora"
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
