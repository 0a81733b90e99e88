package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestLoad opens two tiny checkpoints in processes of their own, on the pure Go backend.
func TestLoad(t *testing.T) {
	b := faked(t, "ours")
	b.Backend, b.out = "go", filepath.Join(t.TempDir(), "load.json")
	require.NoError(t, b.load(t.Context(), []subject{tiny(t, "flux", 32), tiny(t, "llava", 56)}))
	text, err := os.ReadFile(b.out)
	require.NoError(t, err)
	var r report
	require.NoError(t, json.Unmarshal(text, &r))
	require.Len(t, r.Loads, 2)
	for _, l := range r.Loads {
		assert.Empty(t, l.Error)
		assert.Positive(t, l.Bytes)
		assert.Positive(t, l.Ratio)
		for _, times := range [][]float64{l.Read, l.Open, l.Beside} {
			require.Len(t, times, b.Rounds)
			assert.Positive(t, times[0])
		}
		if runtime.GOOS == "linux" {
			assert.Greater(t, l.First.After.Private, l.First.Before.Private)
			assert.Positive(t, l.Second.After.Files)
			assert.Positive(t, l.Peak)
		}
	}

	s := tiny(t, "flux", 32)
	s.Fixture, s.fixture = "none", os.DirFS(t.TempDir())
	require.ErrorContains(t, b.load(t.Context(), []subject{s}), "nothing is known of flux")
	b.Published = "FLUX.1-schnell-tiny, none"
	require.ErrorContains(t, b.load(t.Context(), nil), `"none"`)
	b.launch = faked(t, "good").launch
	b.Published = "FLUX.1-schnell-tiny"
	require.ErrorContains(t, b.load(t.Context(), nil), "FLUX.1-schnell-tiny")
}

func TestRead(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(folder, "a"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "a", "b"), make([]byte, 3<<20+1), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "c"), []byte("12"), 0o644))
	n, err := read(t.Context(), folder)
	require.NoError(t, err)
	assert.EqualValues(t, 3<<20+3, n)
	_, err = read(t.Context(), filepath.Join(folder, "none"))
	assert.Error(t, err)
}

func TestLoadTable(t *testing.T) {
	known := memory{residence{1e8, 2e8, 0}, residence{11e8, 2.5e8, 1e7}}
	l := &loaded{Title: "Some", Bytes: 1e9, Read: []float64{1, 2, 3}, Open: []float64{2.5}, Beside: []float64{2}, Ratio: 0.8, First: known, Second: known, Peak: 14e8}
	quiet := &loaded{Title: "Quiet", Bytes: 1e9, Read: []float64{1}, Open: []float64{2}, Ratio: 0.5}
	r := &report{Date: "2026-01-02", Machine: "a machine", Settings: settings{DType: "float32", Threads: 2, Backend: "xla:cpu"}}
	r.Loads = []*loaded{l, quiet, {Title: "None", Error: "it does not open"}}
	text := r.loadTable()
	assert.Contains(t, text, "\n| Some | 1.00 GB | 2.00 s (1.00–3.00) | 2.50 s (2.50–2.50) | 80 % | 105 % | 110 % | 1.00 GB | 0.05 GB | 0.01 GB |\n"+
		"| Quiet | 1.00 GB | 1.00 s (1.00–1.00) | 2.00 s (2.00–2.00) | 50 % | – | – | – | – | – |\n| None | does not open | | | | | | | | |\n")
	assert.Contains(t, text, "The weights are copies on the device: a second process has 100 % of the files as memory of its own, and fetched 1 % of them")
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, "|") {
			assert.Equal(t, 11, strings.Count(line, "|"), line)
		}
	}
	l.Second.After.Private = 2e8
	assert.Contains(t, r.loadTable(), "The weights are shared: a second process has 10 %")
	r.Loads = []*loaded{quiet}
	assert.Empty(t, r.copies(), "where the system does not tell")
}
