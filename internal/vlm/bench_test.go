package vlm_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/peak"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
	"github.com/dualprocess/dualprocess-go/verifier"
)

// benchEnv names a folder where the benchmark leaves its checkpoints, for
// bench_gradient.py to measure the same in PyTorch. Without it they are removed.
const benchEnv = "DUALPROCESS_BENCH"

// benchQuestion is asked about every picture.
var benchQuestion = dualprocess.Question{Text: "Is the horizon in the upper half of this image?", Answer: "Yes"}

// BenchmarkGradient is one question about one picture: the loss and its gradient by
// the pixels, in one compiled program. The sizes of the first group take about a
// second on two cores; those of real checkpoints, in bfloat16, are for a GPU:
//
//	go test ./internal/vlm -run '^$' -bench Gradient/second
//	go test ./internal/vlm -run '^$' -bench Gradient/real -timeout 1h
func BenchmarkGradient(b *testing.B) {
	for _, group := range []struct {
		name  string
		sizes func(b *testing.B) []benchSize
	}{{"second", secondSizes}, {"real", realSizes}} {
		b.Run(group.name, func(b *testing.B) {
			for _, s := range group.sizes(b) {
				b.Run(s.name, func(b *testing.B) { s.bench(b, group.name) })
			}
		})
	}
}

func (s benchSize) bench(b *testing.B, group string) {
	rt := golden.Fastest(b)
	if s.model.DType == safetensors.BF16 && rt.Name != "xla:cuda" {
		b.Skip("needs a GPU")
	}
	folder := b.TempDir()
	if root := os.Getenv(benchEnv); root != "" {
		folder = filepath.Join(root, group, s.name)
	}
	s.write(b, folder)
	opened, err := verifier.Open(b.Context(), rt, folder, verifier.Options{})
	require.NoError(b, err)
	v := vlmtest.Frame(opened)
	in, err := v.Prepare(b.Context(), benchQuestion, s.height, s.width)
	require.NoError(b, err)
	s.note(b, v, in, folder)

	gradient, err := graphs.NewExecutor(rt, func(in []*Node) []*Node {
		loss := Neg(ReduceAllSum(v.LogProbs(in[0], [][]*Node{in[1:]})[0]))
		return []*Node{loss, Gradient(loss, in[0])[0]}
	})
	require.NoError(b, err)
	var loss float32
	run := func() {
		out, err := gradient.Call(vlmtest.Noise(vision.Size{Height: s.height, Width: s.width}), in[0], in[1], in[2], in[3])
		require.NoError(b, err)
		loss = tensors.ToScalar[float32](out[0])
		for _, x := range out {
			require.NoError(b, x.FinalizeAll())
		}
	}
	began := time.Now()
	run()
	compiled := time.Since(began)
	for b.Loop() {
		run()
	}
	b.ReportMetric(compiled.Seconds(), "s/first")
	b.ReportMetric(float64(loss), "loss")
	b.ReportMetric(used(b.Context(), rt), "MB-peak")
}

// note writes bench.json: what bench_gradient.py shall do with the checkpoint.
func (s benchSize) note(b *testing.B, v *vlm.Verifier, in dualprocess.Inputs, folder string) {
	ids, err := vlm.Prefix(v, vision.Size{Height: s.height, Width: s.width})
	require.NoError(b, err)
	ids = append([]int(nil), ids...)
	for _, id := range tensors.MustCopyFlatData[int32](in[0]) {
		ids = append(ids, int(id))
	}
	text := fmt.Sprintf(`{"height": %d, "width": %d, "image_token": %d, "labels": %d, "dtype": %q, "input_ids": [%s]}`,
		s.height, s.width, vlm.Pieces(v).Image, in[2].Shape().Dim(0), s.model.DType, strings.Trim(strings.ReplaceAll(fmt.Sprint(ids), " ", ", "), "[]"))
	require.NoError(b, os.WriteFile(filepath.Join(folder, "bench.json"), []byte(text+"\n"), 0o600))
}

// used is the most memory that was used so far, in MB: the card's, or else the process's.
func used(ctx context.Context, rt *backends.Runtime) float64 {
	bytes := peak.Process()
	if rt.Name == "xla:cuda" {
		bytes = peak.Card(ctx)
	}
	return float64(bytes) / (1 << 20)
}
