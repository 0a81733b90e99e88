package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/safetensors"
	"github.com/dualprocess/dualprocess-go/lora"
)

// tinyPair is a generator and a verifier in the sizes of their fixtures.
func tinyPair(t *testing.T) []subject {
	g := tiny(t, "flux", 32)
	g.Sampler.Steps = 2
	return []subject{g, tiny(t, "llava", 0)}
}

// TestPairing makes updates of a tiny pair on the pure Go backend, and reads what is handed over.
func TestPairing(t *testing.T) {
	b, s := faked(t), tinyPair(t)
	b.Backend, b.Updates, b.Side = "go", 3, 64
	o, p, err := b.pairOrder(t.Context(), s[0], s[1])
	require.NoError(t, err)
	assert.Equal(t, &paired{Generator: "FLUX", Verifier: "LLaVA-1.5", Side: 64, Questions: 2, Of: 2}, p)
	folder := t.TempDir()
	o.Adapter = filepath.Join(folder, "adapter.safetensors")
	file, err := o.place(folder)
	require.NoError(t, err)
	all := replies(t, file, `{"runs": 1}`, `{"runs": 2}`, `{"runs": 1}`)
	require.Len(t, all, 4, all[len(all)-1].Error)
	require.NoError(t, all[2].check(2))
	assert.Len(t, all[2].Steps, 3)
	assert.Positive(t, all[1].Norms[0])
	assert.Contains(t, all[3].Error, "3 updates", "there are no updates after the last")

	handed, err := safetensors.OpenFile(filepath.Join(folder, "inputs.safetensors"))
	require.NoError(t, err)
	defer func() { require.NoError(t, handed.Close()) }()
	var about struct {
		Steps, Labels []int
		Rate          float64
	}
	require.NoError(t, json.Unmarshal([]byte(handed.Metadata()["about"]), &about))
	assert.Equal(t, all[2].Steps, about.Steps)
	assert.Len(t, about.Labels, 2)
	assert.Equal(t, 5e-5, about.Rate, "that of the paper")
	latents, ok := handed.Info("latents")
	require.True(t, ok)
	assert.Equal(t, 3, latents.Shape[0])
	for _, name := range []string{"condition0", "ids0", "ids1", "A/transformer_blocks.0.attn.to_q"} {
		_, ok := handed.Info(name)
		assert.True(t, ok, name)
	}
	adapter, err := lora.Load(o.Adapter, nil)
	require.NoError(t, err)
	assert.NotZero(t, tensors.MustCopyFlatData[float32](adapter.Params()[1])[0], "B has moved")
}

// TestPair: sides make their updates one after the other, and one that computes something else is an error.
func TestPair(t *testing.T) {
	pair := func(kinds ...string) (*paired, error) {
		b := faked(t, kinds...)
		b.Updates, b.out = 2, filepath.Join(t.TempDir(), "pair.json")
		failed := b.pair(t.Context(), tinyPair(t))
		text, err := os.ReadFile(b.out)
		require.NoError(t, err)
		var r report
		require.NoError(t, json.Unmarshal(text, &r))
		return r.Pair, failed
	}
	p, err := pair("good", "good", "closed")
	require.NoError(t, err)
	require.Len(t, p.Sides, 2, "nothing is compiled")
	assert.Equal(t, []int{0, 0}, p.Steps)
	assert.Equal(t, []float64{0.5, 0.5}, p.Sides[1].Losses)
	assert.EqualValues(t, 1e9, p.Sides[1].Peak)
	for want, kinds := range map[string][]string{
		"eager: update 1: its norm of the gradient is 2.1":   {"good", "other"},
		"eager: its adapter is apart from ours by 0.3":       {"good", "far"},
		"ours: open: no such checkpoint":                     {"closed", "good"},
		"eager: update 1: the numbers of a run are not fini": {"good", "nan"},
	} {
		p, err := pair(kinds...)
		require.ErrorContains(t, err, want)
		assert.Contains(t, p.Error, want)
	}
}

func TestPairSettings(t *testing.T) {
	b, s := faked(t, "good"), tinyPair(t)
	require.ErrorContains(t, b.pair(t.Context(), s[:1]), "one generator and one verifier")
	b.Published = "FLUX.1-schnell-tiny"
	require.ErrorContains(t, b.pair(t.Context(), s), "-published")
	b.Published = "FLUX.1-schnell-tiny, Qwen2.5-VL-tiny"
	o, p, err := b.pairOrder(t.Context(), s[0], s[1])
	require.NoError(t, err)
	assert.True(t, o.Sparing)
	assert.Equal(t, "Qwen2.5-VL-tiny", p.Verifier)
	assert.FileExists(t, filepath.Join(o.Verifier, "model.safetensors"))
}

func TestPairTable(t *testing.T) {
	p := &paired{Generator: "Some", Verifier: "Other", Side: 64, Questions: 2, Of: 4, Steps: []int{3, 0}}
	p.Sides = []*pairedSide{{Side: ours, What: "ours", Open: 1, Losses: []float64{2, 1}, Norms: []float64{0.5, 0.25}, Seconds: []float64{9, 3}, Peak: 2e9}}
	r := &report{Date: "2026-01-02", Machine: "a machine", Settings: settings{DType: "float32", Threads: 2}, Pair: p}
	assert.Contains(t, r.pairTable(), "\n| 1 | 3 | 2.000000 | – | 0.5 | – | 9.0 | – |\n")
	p.Sides = append(p.Sides, &pairedSide{Side: eager, What: "theirs", Open: 2, Losses: []float64{2.5}, Norms: []float64{0.75}, Seconds: []float64{8}, Apart: 1e-3})
	p.Error = "it is wrong"
	text := r.pairTable()
	assert.Contains(t, text, "float32, 2 threads; here: ours; there: theirs.\n\nSome with Other, 64 pixels, 2 questions, 4 steps.\n")
	assert.Contains(t, text, "\n| 1 | 3 | 2.000000 | 2.500000 | 0.5 | 0.75 | 9.0 | 8.0 |\n| 2 | 0 | 1.000000 | – | 0.25 | – | 3.0 | – |\n")
	assert.Contains(t, text, "\nHere: opened in 1.0 s, peak memory 2.00 GB.\n")
	assert.Contains(t, text, "\nThere: opened in 2.0 s, peak memory –, the adapter apart from ours by 0.001 of the way that it has come.\n")
	assert.Contains(t, text, "\nThis does not count: it is wrong.\n")
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, "|") {
			assert.Equal(t, 9, strings.Count(line, "|"), line)
		}
	}
}
