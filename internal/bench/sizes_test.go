package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/study"
)

// tinyTask is an order for updates of two fixtures.
func tinyTask(t *testing.T) order {
	subjects, err := find(os.DirFS(root), "flux,llava")
	require.NoError(t, err)
	folder := func(s subject) string { return filepath.Join(root, fixtures, filepath.FromSlash(s.Fixture)) }
	return order{
		Kind: tasks, Checkpoint: folder(subjects[0]), Verifier: folder(subjects[1]), Backend: "go", DType: "float32",
		Options: []byte(`{"TextTokens": 8, "Steps": 1}`), Scale: scale{Side: 64, Questions: 2, Batch: 2, Rank: 4},
	}
}

// TestDistillation: updates are made when they are asked for, and the training ends with its context.
func TestDistillation(t *testing.T) {
	w, what, err := open(t.Context(), tinyTask(t))
	require.NoError(t, err)
	assert.Contains(t, what, "go")
	var losses []float64
	for range 3 {
		loss, norm, err := w.run(t.Context())
		require.NoError(t, err)
		assert.Positive(t, norm)
		losses = append(losses, loss)
	}
	assert.Positive(t, losses[0])
	assert.NotEqual(t, losses[0], losses[2], "the adapter has changed")
	require.NoError(t, w.close())
	_, _, err = w.run(t.Context())
	require.ErrorIs(t, err, context.Canceled)
}

func TestOperations(t *testing.T) {
	o := tinyTask(t)
	one, err := o.operations(t.Context())
	require.NoError(t, err)
	o.Scale.Side = 128
	two, err := o.operations(t.Context())
	require.NoError(t, err)
	assert.Greater(t, two, 2*one)
}

// TestSizes: every size has a row and a point of each line, in those of the first.
func TestSizes(t *testing.T) {
	subjects, err := find(os.DirFS(root), "sd,qwen25vl")
	require.NoError(t, err)
	s := &sizes{axis: axes[1], bench: &bench{}, generator: subjects[0], verifier: subjects[1]}
	p, err := s.Plan()
	require.NoError(t, err)
	require.Len(t, p.Cells, len(s.values))
	r := &study.Report{Title: p.Title}
	for k, c := range p.Cells[:2] {
		ms := study.Number(k + 1)
		r.Cells = append(r.Cells, study.Result{Cell: c, Measurement: study.Measurement{
			Value: ms / 1e3, Numbers: map[string]study.Number{peakBytes: 1e6, operations: 2e9, firstSeconds: 3},
			Samples: []study.Sample{{Values: map[string]study.Number{seconds: ms / 2e3}}, {Values: map[string]study.Number{seconds: ms / 5e2}}},
		}})
	}
	table, figure := s.Summarize(r, study.Bootstrap{})
	require.Len(t, table.Rows, 2)
	assert.Equal(t, "2", table.Rows[1].Name)
	assert.Equal(t, []study.Entry{{Text: "2"}, {Text: "1–4"}, {Text: "2"}, {Text: "1000"}, {Text: "1"}, {Text: "3.0"}}, table.Rows[1].Entries)
	assert.Equal(t, study.Number(2), figure.Series[0].Y[1].Mean)
	assert.Equal(t, study.Number(1), figure.Series[1].Y[1].Mean)

	err = (&bench{}).studySizes(t.Context(), subjects[:1], t.TempDir())
	require.ErrorContains(t, err, "one generator and one verifier")
}
