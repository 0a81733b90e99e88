package study_test

import (
	"context"
	"errors"
	"image"
	"image/png"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/study"
)

// picture reads a picture that a study has kept.
func picture(t *testing.T, folder, file string) image.Image {
	t.Helper()
	f, err := os.Open(filepath.Join(folder, filepath.FromSlash(file)))
	require.NoError(t, err)
	defer f.Close()
	img, err := png.Decode(f)
	require.NoError(t, err)
	return img
}

func run(t *testing.T, s study.Study, folder string) *study.Report {
	t.Helper()
	r, err := study.Run(t.Context(), s, study.Options{Folder: folder})
	require.NoError(t, err)
	require.True(t, r.Complete())
	return r
}

// The numbers of Table 6 are those of the saved pictures, by another measurement, and
// the adapters do what they were trained for.
func TestHorizon(t *testing.T) {
	folder := t.TempDir()
	r := run(t, toyHorizon(t), folder)
	require.Len(t, r.Cells, 2*2*3)
	means := map[string][]float64{}
	lines := map[string]float64{"line at 0.3": .3, "line at 0.6": .6}
	for _, c := range r.Cells {
		require.Len(t, c.Samples, 5)
		for _, s := range c.Samples {
			own := math.Abs(toyRow(picture(t, folder, s.Picture)) - lines[c.Column])
			assert.InDelta(t, own, float64(s.Values["distance"]), 1./toySide, "%v", c.Cell)
			means[c.Row] = append(means[c.Row], own)
		}
	}
	for k, method := range []string{"No Control", "Prompt Expansion", "Ours"} {
		entry := r.Table.Rows[0].Entries[k]
		assert.InDelta(t, average(means[method]), float64(entry.Interval.Mean), 1./toySide)
		assert.LessOrEqual(t, entry.Interval.Low, entry.Interval.Mean)
		assert.GreaterOrEqual(t, entry.Interval.High, entry.Interval.Mean)
		assert.Equal(t, 4, entry.Interval.Units, "prompts × lines")
	}
	assert.Less(t, average(means["Ours"]), average(means["No Control"])/2)
	assert.Equal(t, "0.2204", r.Table.Rows[2].Entries[0].Text)
	require.Len(t, r.Figure.Series, 3)
	assert.FileExists(t, filepath.Join(folder, "adapters", "table6", "prompt-1-line-at-0.3.safetensors"))

	again, err := study.Read(filepath.Join(folder, "table6.json"))
	require.NoError(t, err)
	assert.Equal(t, r, again)
}

func average(values []float64) float64 {
	sum := 0.
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// A study that is stopped in the middle of a training goes on and ends as one that was
// not: the same numbers, adapters and pictures.
func TestResumeInATraining(t *testing.T) {
	whole, stopped := t.TempDir(), t.TempDir()
	want := run(t, toyHorizon(t), whole)

	ctx, cancel := context.WithCancel(t.Context())
	r, err := study.Run(ctx, toyHorizon(t), study.Options{Folder: stopped, Progress: func(p study.Progress) {
		if p.Cell.Row == "Ours" && p.Done == 5 && p.Doing == "training" && p.Step == 17 {
			cancel()
		}
	}})
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, r.Cells, 5)
	text, err := os.ReadFile(filepath.Join(stopped, "table6.txt"))
	require.NoError(t, err)
	assert.Contains(t, string(text), "7 of 12 cells are missing")

	measured := 0
	got, err := study.Run(t.Context(), toyHorizon(t), study.Options{Folder: stopped, Progress: func(p study.Progress) {
		if p.Doing == "" {
			measured++
		}
		if p.Done == 5 && p.Doing == "training" {
			assert.Greater(t, p.Step, 15, "the training begins behind its checkpoint")
		}
	}})
	require.NoError(t, err)
	assert.Equal(t, 7, measured, "no cell is measured twice")
	assert.Equal(t, timeless(want), timeless(got))
	assert.Equal(t, contents(t, whole), contents(t, stopped))
}

// timeless is a report without the seconds.
func timeless(r *study.Report) study.Report {
	out := *r
	out.Cells = nil
	for _, c := range r.Cells {
		c.Seconds = 0
		out.Cells = append(out.Cells, c)
	}
	return out
}

// contents are all files of a folder but the numbers, which have seconds in them.
func contents(t *testing.T, folder string) map[string]string {
	t.Helper()
	out := map[string]string{}
	require.NoError(t, fs.WalkDir(os.DirFS(folder), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) == ".json" {
			return err
		}
		data, err := os.ReadFile(filepath.Join(folder, path))
		out[path] = string(data)
		return err
	}))
	return out
}

func toyRules() []study.Rule {
	side := func(word, row string) study.Side {
		return study.Side{Prompt: "middle", Description: word, Expanded: word, Question: row, Vague: "0.5"}
	}
	return []study.Rule{
		{Category: "Physical Laws", Sides: [2]study.Side{side("high", "0.25"), side("low", "0.75")}},
		{Category: "Physical Laws", Sides: [2]study.Side{side("high", "0.3"), side("low", "0.8")}},
		{Category: "Daily Items", Sides: [2]study.Side{side("low", "0.7"), side("high", "0.3")}},
		{Category: "Daily Items", Sides: [2]study.Side{side("low", "0.75"), side("high", "0.25")}},
	}
}

// The numbers of Table 1 follow from the saved pictures by the benchmark's own rules.
func TestCommonsense(t *testing.T) {
	folder := t.TempDir()
	r := run(t, &study.Commonsense{Setup: toySetup(t), Rules: toyRules(), Judge: toyJudge{}}, folder)
	require.Len(t, r.Cells, 4*4)
	byRow := map[string][]float64{}
	for _, c := range r.Cells {
		require.Len(t, c.Samples, 8, "four pictures for each prompt")
		swapped := c.Column == "Daily Items"
		right := 0.
		for k := range 4 {
			first, second := toyRow(picture(t, folder, c.Samples[k].Picture)), toyRow(picture(t, folder, c.Samples[4+k].Picture))
			if swapped {
				first, second = second, first
			}
			right += supports(first < .5, first == .5) * supports(second > .5, second == .5) / 4
		}
		assert.InDelta(t, right, float64(c.Value), 1e-12, "%v", c.Cell)
		byRow[c.Row] = append(byRow[c.Row], right)
	}
	assert.Equal(t, []string{"Method", "Physical Laws", "Daily Items", "Avg"}, r.Table.Columns)
	for k, row := range []string{"Base Prompt", "Base Prompt + Ours", "Expanded Prompt", "Expanded Prompt + Ours"} {
		assert.Equal(t, row, r.Table.Rows[k].Name)
		assert.InDelta(t, average(byRow[row]), float64(r.Table.Rows[k].Entries[2].Interval.Mean), 1e-12, "categories of equal size")
	}
	assert.Greater(t, average(byRow["Base Prompt + Ours"]), average(byRow["Base Prompt"])+.3)
	assert.Equal(t, "24.0", r.Table.Rows[4].Entries[0].Text, "the paper's, by category")
}

// supports is how much a picture counts that fits what is wanted, or both.
func supports(wanted, both bool) float64 {
	if both {
		return .5
	}
	return truth(wanted)
}

func TestReliability(t *testing.T) {
	r := run(t, &study.Reliability{Commonsense: study.Commonsense{Setup: toySetup(t), Rules: toyRules(), Judge: toyJudge{}}}, t.TempDir())
	require.Len(t, r.Cells, 3*4)
	gain := func(row string) float64 {
		var out []float64
		for _, c := range r.Where(row, "") {
			base, ok := r.Cell(study.Cell{Row: "No Control", Column: c.Column, Repeat: c.Repeat})
			require.True(t, ok)
			out = append(out, 100*float64(c.Value-base.Value))
		}
		return average(out)
	}
	series := r.Figure.Series[0]
	require.Len(t, series.Y, 5)
	assert.InDelta(t, gain("unreliable questions"), float64(series.Y[0].Mean), 1e-9)
	assert.InDelta(t, gain("reliable questions"), float64(series.Y[4].Mean), 1e-9)
	assert.Greater(t, series.Y[4].Mean, series.Y[0].Mean)
	assert.Equal(t, []study.Number{0, 25, 50, 75, 100}, series.X)
	assert.Equal(t, "+28.2", r.Table.Rows[1].Entries[4].Text)
}

func TestLatents(t *testing.T) {
	folder := t.TempDir()
	r := run(t, &study.Latents{
		Setup: toySetup(t), Prompt: "high", Unseen: []string{"low"}, Question: toyQuestion(.5),
		GaugeName: "Distance", Gauge: func(img image.Image, _ string) float64 { return math.Abs(toyRow(img) - .5) },
	}, folder)
	before, weights, latents := r.Cells[0], r.Cells[1], r.Cells[2]
	assert.Less(t, weights.Value, .7*before.Value)
	assert.Less(t, latents.Value, .7*before.Value)
	for _, c := range r.Cells {
		require.Len(t, c.Samples, 8+16+16)
		for _, s := range c.Samples {
			assert.InDelta(t, math.Abs(toyRow(picture(t, folder, s.Picture))-.5), float64(s.Values["gauge"]), 1e-12)
		}
	}
	assert.Positive(t, latents.Numbers["inference seconds"])
	assert.FileExists(t, filepath.Join(folder, "adapters", "table2", "weights.safetensors"))
	assert.Contains(t, r.Table.Text(), "Distance, unseen prompts and seeds")
}

// What a model writes is written once, and used again after an interruption.
func TestWriter(t *testing.T) {
	folder, w := t.TempDir(), &toyWriter{}
	rules := toyRules()[:1]
	for k := range rules[0].Sides {
		rules[0].Sides[k].Question, rules[0].Sides[k].Expanded = "", ""
	}
	s := func() *study.Commonsense {
		return &study.Commonsense{Setup: toySetup(t), Rules: rules, Judge: toyJudge{}, Writer: w}
	}
	w.fails = true
	_, err := study.Run(t.Context(), s(), study.Options{Folder: folder})
	require.ErrorIs(t, err, errToy)
	w.fails = false
	r := run(t, s(), folder)
	assert.Equal(t, 2, w.questions)
	assert.Equal(t, 2, w.expansions, "not for each of the two rows again")
	assert.Len(t, r.Cells, 4)
}

var errToy = errors.New("toy")
