package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMedian(t *testing.T) {
	assert.Equal(t, 3., median([]float64{5, 1, 3}))
	assert.Equal(t, 2., median([]float64{3, 1}))
	assert.True(t, math.IsNaN(median(nil)))
	assert.Equal(t, &spread{2, 1, 3}, spreadOf([][]float64{{9, 1, 1}, {2, 2, 0}, {3, 3, 99}}), "an outlier within a round does not show")
	assert.Nil(t, spreadOf(nil))
}

// some is a model whose sides took so many seconds in three rounds.
func some(own, eagerly, compiledly float64) *measured {
	side := func(name string, seconds float64) *measuredSide {
		s := &measuredSide{Side: name, What: "what " + name, First: 10 * seconds, Loss: 1, Norm: 1, Peak: 2e9}
		for _, factor := range []float64{1, 0.9, 1.2} {
			s.Seconds = append(s.Seconds, []float64{seconds * factor})
		}
		return s
	}
	m := &measured{Name: "some", Title: "Some", Sides: []*measuredSide{side(ours, own), side(eager, eagerly)}}
	if compiledly > 0 {
		return &measured{Name: m.Name, Title: m.Title, Sides: append(m.Sides, side(compiled, compiledly))}
	}
	m.Sides = append(m.Sides, &measuredSide{Side: compiled, Fault: "first run: it fails"})
	return m
}

func TestTable(t *testing.T) {
	wrong, late, failed := some(1, 1, 1), some(1, 2, 0), some(1, 1, 1)
	wrong.Sides[1].Wrong = true
	late.Sides[2].Late = true
	failed.Error = "no checkpoint"
	alone := &measured{Title: "Alone", Sides: some(1, 1, 1).Sides[:1]}
	r := &report{Date: "2026-01-02", Machine: "a machine", Settings: settings{DType: "float32", Threads: 2}}
	r.Models = []*measured{some(1, 0.8, 0.5), some(2, 3, 0), late, wrong, failed, alone}
	assert.Equal(t, `2026-01-02, a machine, float32, 2 threads; here: what ours; there: what eager.

| ms per run | here | PyTorch eager | compiled | PyTorch's faster over ours | first run: here, eager, compiled | peak memory: here, eager, compiled |
| --- | --- | --- | --- | --- | --- | --- |
| Some | 1000 (900–1200) | 800 (720–960) | 500 (450–600) | 0.50 | 10.0 s, 8.0 s, 5.0 s | 2.00 GB, 2.00 GB, 2.00 GB |
| Some | 2000 (1800–2400) | 3000 (2700–3600) | fails | 1.50 | 20.0 s, 30.0 s, – | 2.00 GB, 2.00 GB, – |
| Some | 1000 (900–1200) | 2000 (1800–2400) | too late | 2.00 | 10.0 s, 20.0 s, – | 2.00 GB, 2.00 GB, – |
| Some | does not count | | | | | |
| Some | does not count | | | | | |
| Alone | 1000 (900–1200) |  |  | – | 10.0 s, –, – | 2.00 GB, –, – |
`, r.table())
	assert.Equal(t, []string{"some", "some"}, r.wrong())
	assert.Equal(t, []string{"no checkpoint"}, failed.complaints())
	assert.Equal(t, []string{"compiled is left out: first run: it fails"}, some(2, 3, 0).complaints())
}

func TestReportIsWritten(t *testing.T) {
	r := &report{Models: []*measured{some(1, 0.8, 0.5)}}
	require.NoError(t, r.write(""))
	file := filepath.Join(t.TempDir(), "report.json")
	require.NoError(t, r.write(file))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var read report
	require.NoError(t, json.Unmarshal(text, &read))
	assert.InDelta(t, 0.5, read.Models[0].Ratio, 1e-9)
	assert.InDelta(t, 0.9, read.Models[0].Sides[0].Spread.Min, 1e-9)
	assert.NotEmpty(t, machine())
}

func TestCompare(t *testing.T) {
	own := &measuredSide{Loss: 2, Norm: -10}
	for fault, s := range map[string]*measuredSide{
		"":     {Loss: 2.001, Norm: -10},
		"loss": {Loss: 2.01, Norm: -10},
		"norm": {Loss: 2, Norm: -10.2},
		"NaN":  {Loss: 2, Norm: math.NaN()},
	} {
		s.compare(own, gradients, "float32")
		assert.Equal(t, fault != "", s.Wrong)
		assert.Contains(t, s.Fault, fault)
	}
}
