package dualprocess_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/lora"
)

// BenchmarkSecond measures the embedded models on the fastest backend here: a task
// of 20 updates that compiles, another that finds everything compiled, and the same
// for pictures and ratings. second/pure is the time of the second task over that of
// its updates alone.
//
//	go test ./dualprocess -run '^$' -bench Second -benchtime 1x
func BenchmarkSecond(b *testing.B) {
	rt := openRuntime(b, "")
	g, v := openEmbedded(b, rt)
	var updates []dualprocess.Update
	task := func(row float64, seed int64, prompts ...string) dualprocess.Task {
		return dualprocess.Task{
			Runtime: rt, Generator: g, Verifier: v, Prompts: prompts, Questions: onTheLine(row), Seed: seed,
			Adapter: lora.Config{Rank: 8}, Updates: 20, Batch: 10, Drift: .1,
			Progress: func(u dualprocess.Update) { updates = append(updates, u) },
		}
	}
	var adapter *lora.Adapter
	distil := func(t dualprocess.Task) time.Duration {
		updates = nil
		began := time.Now()
		var err error
		adapter, err = dualprocess.Distill(b.Context(), t)
		require.NoError(b, err)
		return time.Since(began)
	}
	for b.Loop() {
		first := distil(task(.3, 1, "a sea at night", "a meadow at night"))
		second := distil(task(.6, 2, "a desert by day", "a sea by day", "a snowfield at sunset"))
		last := updates[len(updates)-1]
		pure := (last.Elapsed - updates[0].Elapsed).Seconds() / float64(len(updates)-1) * float64(len(updates))
		b.ReportMetric(first.Seconds(), "first-task-s")
		b.ReportMetric(second.Seconds(), "second-task-s")
		b.ReportMetric(second.Seconds()/pure, "second/pure")
		for _, name := range []string{"first", "second"} {
			began := time.Now()
			images, err := dualprocess.Sample(b.Context(), rt, g, "a sea at sunset", dualprocess.SampleOptions{Adapter: adapter})
			require.NoError(b, err)
			b.ReportMetric(time.Since(began).Seconds(), name+"-picture-s")
			began = time.Now()
			_, err = dualprocess.Score(b.Context(), rt, v, onTheLine(.3), images...)
			require.NoError(b, err)
			b.ReportMetric(time.Since(began).Seconds(), name+"-score-s")
		}
	}
}
