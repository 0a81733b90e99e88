package dualprocess_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	gpocket "github.com/dualprocess/dualprocess-go/generator/pocket"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/lora"
)

// BenchmarkSampler measures the embedded generator on the fastest backend here: 60
// pictures one after the other with one adapter; 60 requests at once for three
// adapters; and the first picture of one more adapter, over a picture whose adapter
// is there.
//
//	go test ./dualprocess -run '^$' -bench Sampler -benchtime 3x
func BenchmarkSampler(b *testing.B) {
	rt := openRuntime(b, "")
	g, _ := openEmbedded(b, rt)
	for _, o := range []dualprocess.SamplerOptions{{Batch: 1}, {Batch: 4}, {Batch: 10}, {Batch: 10, Separate: true}} {
		b.Run(fmt.Sprintf("batch%d/separate=%t", o.Batch, o.Separate), func(b *testing.B) { benchmarkSampler(b, rt, g, o) })
	}
}

func benchmarkSampler(b *testing.B, rt *backends.Runtime, g *gpocket.Generator, o dualprocess.SamplerOptions) {
	const requests = 60
	adapters := []*lora.Adapter{pocketAdapter(b, rt, g, 0), pocketAdapter(b, rt, g, 1), pocketAdapter(b, rt, g, 2)}
	request := func(k int, a *lora.Adapter) dualprocess.Request {
		return dualprocess.Request{Prompt: []string{"a sea at night", "a meadow at sunset"}[k%2], Seeds: []int64{int64(k)}, Adapter: a}
	}
	alone, err := dualprocess.NewSampler(rt, g, dualprocess.SamplerOptions{})
	require.NoError(b, err)
	defer alone.Close()
	s, err := dualprocess.NewSampler(rt, g, o)
	require.NoError(b, err)
	defer s.Close()
	timed := func(s *dualprocess.Sampler, r dualprocess.Request) time.Duration {
		began := time.Now()
		_, err := s.Sample(b.Context(), r)
		require.NoError(b, err)
		return time.Since(began)
	}
	parallel := func() time.Duration {
		began := time.Now()
		var group sync.WaitGroup
		for k := range requests {
			group.Go(func() {
				_, err := s.Sample(b.Context(), request(k, adapters[k%3]))
				if err != nil {
					b.Error(err)
				}
			})
		}
		group.Wait()
		return time.Since(began)
	}
	timed(alone, request(0, adapters[0]))
	timed(s, request(0, adapters[0]))
	parallel() // compiles the program of several adapters
	compiled := graphs.StatsOf(rt).Compiled
	var sequential, together, warm, first time.Duration
	seed := int64(100)
	for b.Loop() {
		for k := range requests {
			sequential += timed(alone, request(k, adapters[0]))
		}
		together += parallel()
		for range 10 {
			warm += timed(s, request(0, adapters[0]))
			seed++
			first += timed(s, request(0, pocketAdapter(b, rt, g, seed)))
		}
	}
	require.Equal(b, compiled, graphs.StatsOf(rt).Compiled, "nothing compiles")
	b.ReportMetric(float64(requests*b.N)/sequential.Seconds(), "sequential-pictures/s")
	b.ReportMetric(float64(requests*b.N)/together.Seconds(), "parallel-pictures/s")
	b.ReportMetric(warm.Seconds()/float64(10*b.N), "warm-s")
	b.ReportMetric(first.Seconds()/warm.Seconds(), "first/warm")
}

// pocketAdapter returns an adapter of the pocket generator with random numbers.
func pocketAdapter(t testing.TB, rt *backends.Runtime, g *gpocket.Generator, seed int64) *lora.Adapter {
	t.Helper()
	layers, err := dualprocess.Layers(rt, g)
	require.NoError(t, err)
	a, err := lora.New(lora.Config{Rank: 8, Seed: seed, Targets: g.Preset().Targets}, layers)
	require.NoError(t, err)
	return withNumbers(t, a, func(random *rand.Rand) float32 { return .05 * float32(random.NormFloat64()) }, seed)
}
