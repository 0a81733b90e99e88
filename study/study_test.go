package study_test

import (
	"context"
	"errors"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/study"
)

// dice is a study of one's own: the mean of some throws, for two dice.
type dice struct {
	Throws int
	breaks int // so many cells, and then an error; 0 = never
	made   int
}

var errBroken = errors.New("broken")

func (d *dice) Plan() (study.Plan, error) {
	p := study.Plan{Name: "dice", Title: "Dice", Settings: struct {
		Throws int `json:"throws"`
	}{d.Throws}}
	for _, row := range []string{"fair", "loaded"} {
		for _, repeat := range []string{"a", "b", "c"} {
			p.Cells = append(p.Cells, study.Cell{Row: row, Column: "mean", Repeat: repeat})
		}
	}
	return p, nil
}

func (d *dice) Measure(_ context.Context, _ *study.Bench, c study.Cell) (m study.Measurement, err error) {
	if d.made++; d.breaks > 0 && d.made > d.breaks {
		return m, errBroken
	}
	rng := rand.New(rand.NewPCG(uint64(c.Repeat[0]), uint64(len(c.Row))))
	sum := 0.
	for range d.Throws {
		eyes := float64(1 + rng.IntN(6))
		sum += eyes
		m.Samples = append(m.Samples, study.Sample{Values: map[string]study.Number{"eyes": study.Number(eyes)}})
	}
	m.Value = study.Number(sum / float64(d.Throws))
	return m, nil
}

func (d *dice) Summarize(r *study.Report, b study.Bootstrap) (study.Table, *study.Figure) {
	t := study.Table{Columns: []string{"Die", "Mean"}}
	for _, row := range []string{"fair", "loaded"} {
		var units [][]float64
		for _, c := range r.Where(row, "") {
			units = append(units, []float64{float64(c.Value)})
		}
		i := b.Mean(units)
		t.Rows = append(t.Rows, study.Row{Name: row, Entries: []study.Entry{{Text: "…", Interval: &i}}})
	}
	return t, nil
}

func TestOwnStudyResumes(t *testing.T) {
	whole, broken := t.TempDir(), t.TempDir()
	want := run(t, &dice{Throws: 9}, whole)
	for {
		r, err := study.Run(t.Context(), &dice{Throws: 9, breaks: 2}, study.Options{Folder: broken})
		if err == nil {
			break
		}
		require.ErrorIs(t, err, errBroken)
		require.NotEmpty(t, r.Cells)
	}
	again := &dice{Throws: 9}
	got := run(t, again, broken)
	assert.Zero(t, again.made, "all is there")
	assert.Equal(t, timeless(want), timeless(got))
	assert.Equal(t, contents(t, whole), contents(t, broken))
}

func TestForeignFolder(t *testing.T) {
	folder := t.TempDir()
	run(t, &dice{Throws: 9}, folder)
	_, err := study.Run(t.Context(), &dice{Throws: 8}, study.Options{Folder: folder})
	require.ErrorIs(t, err, study.ErrFolder)
	assert.Contains(t, err.Error(), "throws")

	require.NoError(t, os.WriteFile(filepath.Join(folder, "dice.json"), []byte(`{"format":"other"}`), 0o600))
	_, err = study.Run(t.Context(), &dice{Throws: 9}, study.Options{Folder: folder})
	require.ErrorIs(t, err, study.ErrFolder)

	require.NoError(t, os.Remove(filepath.Join(folder, "dice.json")))
	require.NoError(t, os.MkdirAll(filepath.Join(folder, "adapters", "dice"), 0o700))
	_, err = study.Run(t.Context(), &dice{Throws: 9}, study.Options{Folder: folder})
	require.ErrorIs(t, err, study.ErrFolder, "adapters of unknown settings")
}

func TestBootstrap(t *testing.T) {
	var b study.Bootstrap
	// Of two units a quarter of the draws has the one twice, a quarter the other.
	two := b.Mean([][]float64{{0}, {1}})
	assert.Equal(t, study.Interval{Mean: .5, Low: 0, High: 1, Units: 2}, two)
	// Of many, the interval is that of the normal distribution.
	var many [][]float64
	for k := range 100 {
		many = append(many, []float64{float64(k)})
	}
	b.Draws = 20_000
	i, half := b.Mean(many), 1.96*math.Sqrt((100*100-1)/12.)/10
	assert.InDelta(t, 49.5, float64(i.Mean), 1e-12)
	assert.InDelta(t, 49.5-half, float64(i.Low), .35)
	assert.InDelta(t, 49.5+half, float64(i.High), .35)
	assert.Equal(t, i, b.Mean(many), "the same seed")
	assert.NotEqual(t, i, study.Bootstrap{Draws: b.Draws, Seed: 1}.Mean(many))
	narrow := study.Bootstrap{Level: .5, Draws: 4000}.Mean(many)
	assert.InDelta(t, 2*.6745*math.Sqrt((100*100-1)/12.)/10, float64(narrow.High-narrow.Low), .3)
	// Samples of a unit hang together: ten copies say no more than one.
	copied := b.Mean([][]float64{make([]float64, 10), {1, 1, 1, 1, 1, 1, 1, 1, 1, 1}})
	assert.Equal(t, two, copied)
	// NaN does not count, and of nothing nothing is known.
	assert.Equal(t, study.Interval{Mean: 3, Low: 3, High: 3, Units: 1}, b.Mean([][]float64{{3, math.NaN()}, {math.NaN()}, {}}))
	assert.True(t, math.IsNaN(float64(b.Mean(nil).Mean)))
	// Groups count alike, however many units they have.
	groups := b.MeanOfMeans([][][]float64{{{0}, {0}, {0}}, {{1}}, {}})
	assert.Equal(t, study.Interval{Mean: .5, Low: .5, High: .5, Units: 4}, groups)
}

func TestTable(t *testing.T) {
	table := study.Table{Title: "Title", Columns: []string{"Method", "A", "Long|head"}, Rows: []study.Row{
		{Name: "one", Entries: []study.Entry{{Text: "1.0 [0.5, 1.5]"}, {Text: "–"}}},
		{Name: "another", Entries: []study.Entry{{Text: "2"}}},
	}, Notes: []string{"A note.", "Another."}}
	assert.Equal(t, `**Title**

| Method | A | Long\|head |
| --- | --- | --- |
| one | 1.0 [0.5, 1.5] | – |
| another | 2 |  |

A note.

Another.
`, table.Markdown())
	assert.Equal(t, strings.Join([]string{
		"Title", "",
		"  Method    A                Long|head",
		"  one       1.0 [0.5, 1.5]   –",
		"  another   2                ", "",
		"  A note.", "  Another.", "",
	}, "\n"), table.Text())
}

func TestLevelEdge(t *testing.T) {
	img := image.NewGray(image.Rect(3, 5, 23, 25))
	row, found := study.LevelEdge(img)
	assert.False(t, found, "%g of a flat picture", row)
	for y := 5; y < 25; y++ {
		for x := 3; x < 23; x++ {
			img.SetGray(x, y, color.Gray{uint8(200 - 90*truth(y >= 11) + float64(x))})
		}
	}
	row, found = study.LevelEdge(img)
	assert.True(t, found)
	assert.InDelta(t, 6./20, row, 1e-12)
}

// brightness is a scorer and features: how bright a picture is.
type brightness struct{}

func (brightness) of(img image.Image) float64 {
	return float64(color.GrayModel.Convert(img.At(0, 0)).(color.Gray).Y) / 255
}

func (b brightness) Score(_ context.Context, img image.Image, q dualprocess.Question) (float64, error) {
	if p := b.of(img); q.Answer == "Yes" {
		return p, nil
	} else {
		return 1 - p, nil
	}
}

func (b brightness) Features(_ context.Context, images ...image.Image) (out [][]float64, err error) {
	for _, img := range images {
		out = append(out, []float64{b.of(img)})
	}
	return out, nil
}

// greys writes flat pictures into a folder.
func greys(t *testing.T, folder string, values ...uint8) {
	t.Helper()
	require.NoError(t, os.MkdirAll(folder, 0o700))
	for k, v := range values {
		img := image.NewGray(image.Rect(0, 0, 2, 2))
		for i := range img.Pix {
			img.Pix[i] = v
		}
		f, err := os.Create(filepath.Join(folder, string(rune('a'+k))+".png"))
		require.NoError(t, err)
		require.NoError(t, png.Encode(f, img))
		require.NoError(t, f.Close())
	}
}

func TestDiscernment(t *testing.T) {
	folder := t.TempDir()
	greys(t, folder, 255, 204, 51, 153) // P(Yes) 1, .8, .2, .6
	lines := `{"image":"a.png","question":"Is it bright?","answer":"Yes","topic":"x"}
{"image":"b.png","description":"dark","answer":"No","topic":"x"}
{"image":"c.png","question":"Is it bright?","answer":"No","topic":"y"}
{"image":"d.png","question":"Is it bright?","answer":"Yes","topic":"y"}`
	require.NoError(t, os.WriteFile(filepath.Join(folder, "labels.jsonl"), []byte(lines), 0o600))
	pictures, err := study.ReadLabelled(filepath.Join(folder, "labels.jsonl"))
	require.NoError(t, err)
	r := run(t, &study.Discernment{Judges: []study.Judge{{Name: "meter", Scorer: brightness{}}}, Pictures: pictures}, t.TempDir())
	entries := map[string]float64{}
	for _, row := range r.Table.Rows {
		entries[row.Name] = float64(row.Entries[0].Interval.Mean)
	}
	want := map[string]float64{"Accuracy": .75, "Sensitivity": (1 - .6 + .6 + .2) / 4, "Accuracy: x": .5, "Accuracy: y": 1}
	for name, value := range want {
		assert.InDelta(t, value, entries[name], 1e-9, name)
	}
	assert.Contains(t, r.Cells[0].Samples[1].Prompt, `generally fit the description "dark"`)
}

func TestQuality(t *testing.T) {
	folder := t.TempDir()
	greys(t, filepath.Join(folder, "real"), 0, 255)
	greys(t, filepath.Join(folder, "generated"), 51, 153, 102)
	s := &study.Quality{
		Real:      study.Folder(filepath.Join(folder, "real")),
		Generated: []study.NamedPictures{{Row: "Base Prompt", Pictures: study.Folder(filepath.Join(folder, "generated"))}},
		Distances: []study.Distance{{Name: "GAP", Features: brightness{}, Decimals: 2, Between: func(a, b [][]float64) (float64, error) {
			gap := 0.
			for _, v := range a {
				gap += v[0] / float64(len(a))
			}
			for _, v := range b {
				gap -= v[0] / float64(len(b))
			}
			return math.Abs(gap), nil
		}}},
	}
	r := run(t, s, t.TempDir())
	assert.InDelta(t, .1, float64(r.Cells[0].Value), 1e-12)
	assert.Len(t, r.Cells[0].Samples, 20)
	e := r.Table.Rows[0].Entries[0]
	assert.Equal(t, "0.10", strings.Fields(e.Text)[0])
	assert.LessOrEqual(t, e.Interval.Low, e.Interval.Mean)
	assert.LessOrEqual(t, e.Interval.Mean, e.Interval.High)

	// Every set that is drawn anew is farther from the real ones, or as far, than the same pictures are.
	s.Generated[0].Pictures = s.Real
	e = run(t, s, t.TempDir()).Table.Rows[0].Entries[0]
	assert.Zero(t, e.Interval.Mean)
	assert.Zero(t, e.Interval.Low, "a distance is not negative")
	assert.Positive(t, e.Interval.High)

	s.Real = study.Folder(t.TempDir())
	_, err := study.Run(t.Context(), s, study.Options{Folder: t.TempDir()})
	require.ErrorIs(t, err, study.ErrSettings, "no pictures")
}

// counting is brightness that counts the pictures it is shown.
type counting struct {
	brightness
	shown int
}

func (c *counting) Features(ctx context.Context, images ...image.Image) ([][]float64, error) {
	c.shown += len(images)
	return c.brightness.Features(ctx, images...)
}

// TestQualityLooksOnce: a tower sees every picture once, whatever the number of rows and
// of columns that have its features.
func TestQualityLooksOnce(t *testing.T) {
	folder := t.TempDir()
	greys(t, filepath.Join(folder, "real"), 0, 255)
	greys(t, filepath.Join(folder, "base"), 51, 153, 102)
	greys(t, filepath.Join(folder, "ours"), 51, 204)
	first := func(a, b [][]float64) (float64, error) { return a[0][0] - b[0][0], nil }
	last := func(a, b [][]float64) (float64, error) { return a[len(a)-1][0] - b[len(b)-1][0], nil }
	tower, other := &counting{}, &counting{}
	r := run(t, &study.Quality{
		Real: study.Folder(filepath.Join(folder, "real")),
		Generated: []study.NamedPictures{
			{Row: "", Pictures: study.Folder(filepath.Join(folder, "base"))}, {Row: "ours", Pictures: study.Folder(filepath.Join(folder, "ours"))},
		},
		Distances: []study.Distance{{Name: "first", Features: tower, Between: first}, {Name: "last", Features: tower, Between: last}, {Name: "other", Features: other, Between: last}},
	}, t.TempDir())
	for k, want := range []float64{-.2, .6, .6, -.2, .2, .2} {
		assert.InDelta(t, want, float64(r.Cells[k].Value), 1e-12, "cell %d", k)
	}
	assert.Equal(t, 2+3+2, tower.shown)
	assert.Equal(t, 2+3+2, other.shown)
}

func TestWrongSettings(t *testing.T) {
	setup := toySetup(t)
	for name, test := range map[string]struct {
		study study.Study
		want  string
	}{
		"no models":      {&study.Horizon{Locate: study.LevelEdge}, "Task."},
		"no measurement": {&study.Horizon{Setup: setup}, "Locate"},
		"no lines":       {&study.Horizon{Setup: setup, Locate: study.LevelEdge, Lines: []float64{}}, "Lines"},
		"no seeds":       {&study.Latents{Setup: study.Setup{Task: setup.Task, Seeds: []int64{}}}, "Seeds"},
		"no prompt":      {&study.Latents{Setup: setup}, "Prompt"},
		"no rules":       {&study.Commonsense{Setup: setup, Judge: toyJudge{}}, "Rules"},
		"no judge":       {&study.Commonsense{Setup: setup, Rules: toyRules()}, "Judge"},
		"no question":    {&study.Commonsense{Setup: setup, Judge: toyJudge{}, Rules: make([]study.Rule, 1)}, "Writer"},
		"share":          {&study.Reliability{Commonsense: study.Commonsense{Setup: setup, Judge: toyJudge{}, Rules: toyRules()}, Shares: []float64{2}}, "Shares[0]"},
		"no pictures":    {&study.Discernment{}, "Judges"},
		"no sets":        {&study.Quality{}, "Real"},
		"nothing":        {nil, "must be given"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := study.Run(t.Context(), test.study, study.Options{Folder: t.TempDir()})
			require.ErrorIs(t, err, study.ErrSettings)
			assert.Contains(t, err.Error(), test.want)
			assert.Nil(t, r)
		})
	}
}
