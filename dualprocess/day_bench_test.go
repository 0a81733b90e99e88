package dualprocess_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	gpocket "github.com/dualprocess/dualprocess-go/generator/pocket"
	"github.com/dualprocess/dualprocess-go/lora"
	vpocket "github.com/dualprocess/dualprocess-go/verifier/pocket"
)

// BenchmarkDay is a day of a service: every iteration a short distillation with
// other prompts, questions and ranks, of which some are cancelled. Every fifty jobs the
// models are closed and opened again; it reports resident memory and goroutines while they
// are closed, after a tenth of the jobs and at the end. (In between memory depends on what
// the last job was.)
//
//	go test ./dualprocess -run '^$' -bench Day -benchtime 1000x -timeout 3h
func BenchmarkDay(b *testing.B) {
	rt := openRuntime(b, "")
	random := rand.New(rand.NewPCG(1, 2))
	var day opened
	early := false
	for n := 0; b.Loop(); n++ {
		if n%50 == 0 {
			day.close(b)
			b.Logf("job %d: %d MiB, %d goroutines, %+v", n, resident(b)>>20, runtime.NumGoroutine(), dualprocess.Compiled(rt))
			if !early && n >= max(b.N/10, 50) {
				early = true
				report(b, "early")
			}
			day.open(b, rt)
		}
		day.job(b, rt, random)
	}
	day.close(b)
	report(b, "late")
}

// report adds what the process has now to what the benchmark prints.
func report(b *testing.B, when string) {
	b.ReportMetric(float64(resident(b))/(1<<20), when+"-MiB")
	b.ReportMetric(float64(runtime.NumGoroutine()), when+"-goroutines")
}

// opened are the models of a day.
type opened struct {
	g *gpocket.Generator
	v *vpocket.Verifier
}

func (s *opened) open(b *testing.B, rt *backends.Runtime) {
	s.g, s.v = openEmbedded(b, rt)
}

func (s *opened) close(b *testing.B) {
	if s.g != nil {
		require.NoError(b, s.g.Close())
		require.NoError(b, s.v.Close())
	}
}

// job distils for a moment, and then makes a picture.
func (s *opened) job(b *testing.B, rt *backends.Runtime, random *rand.Rand) {
	pick := func(words ...string) string { return words[random.IntN(len(words))] }
	prompt := "a " + pick("sea", "meadow", "desert", "snowfield") + " " + pick("by day", "at night", "at sunset")
	task := dualprocess.Task{
		Runtime: rt, Generator: s.g, Verifier: s.v, Prompts: []string{prompt}, Seed: random.Int64(),
		Questions: onTheLine(.2 + .6*random.Float64()), Adapter: lora.Config{Rank: 2 << random.IntN(3)}, Updates: 3, Batch: 2,
	}
	ctx := b.Context()
	if random.IntN(4) == 0 {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, time.Duration(random.Float64()*float64(time.Second)))
		defer cancel()
	}
	a, err := dualprocess.Distill(ctx, task)
	if errors.Is(err, context.DeadlineExceeded) {
		return
	}
	require.NoError(b, err)
	_, err = dualprocess.Sample(b.Context(), rt, s.g, prompt, dualprocess.SampleOptions{Adapter: a})
	require.NoError(b, err)
}

// resident is the memory of the process that is in use, in bytes.
func resident(b *testing.B) int {
	debug.FreeOSMemory()
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip("the system does not tell")
	}
	var size, pages int
	_, err = fmt.Fscan(strings.NewReader(string(data)), &size, &pages)
	require.NoError(b, err)
	return pages * os.Getpagesize()
}
