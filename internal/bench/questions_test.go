package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/study"
)

// TestQuestions: the loss of several questions is the mean of theirs.
func TestQuestions(t *testing.T) {
	subjects, err := find(os.DirFS(root), "llava")
	require.NoError(t, err)
	o := order{
		Kind: verifiers, Checkpoint: filepath.Join(root, fixtures, filepath.FromSlash(subjects[0].Fixture)),
		Inputs: filepath.Join(t.TempDir(), "inputs.safetensors"), Backend: "go", DType: "float32", Side: 64,
	}
	loss := func(n int) float64 {
		o.Scale.Questions = n
		w, _, err := open(t.Context(), o)
		require.NoError(t, err)
		defer func() { require.NoError(t, w.close()) }()
		loss, norm, err := w.run(t.Context())
		require.NoError(t, err)
		assert.Positive(t, norm)
		return loss
	}
	first, both := loss(1), loss(2)
	asked[0], asked[1] = asked[1], asked[0]
	t.Cleanup(func() { asked[0], asked[1] = asked[1], asked[0] })
	second := loss(1)
	assert.NotEqual(t, first, second)
	assert.InDelta(t, (first+second)/2, both, 1e-5)
}

// TestAsked: every verifier has a row and a line.
func TestAsked(t *testing.T) {
	subjects, err := find(os.DirFS(root), "llava,idefics2")
	require.NoError(t, err)
	q := &questions{bench: &bench{}, verifiers: subjects}
	p, err := q.Plan()
	require.NoError(t, err)
	require.Len(t, p.Cells, 2*len(questionsAsked))
	r := &study.Report{Title: p.Title}
	for k, c := range p.Cells[:len(questionsAsked)] {
		s := study.Number(4 + k)
		r.Cells = append(r.Cells, study.Result{Cell: c, Measurement: study.Measurement{
			Value: s, Numbers: map[string]study.Number{peakBytes: 2 * s},
			Samples: []study.Sample{{Values: map[string]study.Number{seconds: s - 1}}, {Values: map[string]study.Number{seconds: s + 1}}},
		}})
	}
	table, figure := q.Summarize(r, study.Bootstrap{})
	require.Len(t, table.Rows, 1, "nothing is known of the other one")
	assert.Equal(t, []study.Entry{{Text: "4000"}, {Text: "1.25"}, {Text: "1.50"}, {Text: "1.75"}, {Text: "1.75"}}, table.Rows[0].Entries)
	assert.Len(t, table.Columns, 1+len(table.Rows[0].Entries))
	require.Len(t, figure.Series, 1)
	assert.Equal(t, study.Interval{Mean: 1.5, Low: 1.25, High: 1.75, Units: 1}, figure.Series[0].Y[2])

	err = (&bench{}).studyQuestions(t.Context(), nil, t.TempDir())
	require.ErrorContains(t, err, "no verifier")
}
