package study

import (
	"context"
	"fmt"
	"image"
	"iter"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"github.com/dualprocess/dualprocess-go/internal/pixels"
	"github.com/dualprocess/dualprocess-go/overlay"
)

// Quality is the paper's Table 5: how far sets of generated pictures are from real ones,
// by distances such as CMMD and FID between their features.
type Quality struct {
	Real      Pictures
	Generated []NamedPictures // rows
	Distances []Distance      // the columns

	// Of adds the rows of Table 1, as in the paper, with the pictures that its study makes:
	// of all prompts and seeds. What that study has trained in the same folder is not
	// trained again. nil = none.
	Of *Commonsense

	// Resamples is how often each set of generated pictures is drawn anew for the
	// intervals, whose distances from the real ones are computed each time; 0 = 20,
	// negative = no intervals. Options.Bootstrap's level and seed count, its draws do not.
	Resamples int
	Short     bool // 8 pictures of each set, and 4 resamples

	rows []NamedPictures        // all of them; what All is nil of is made
	seen map[looked][][]float64 // features of the real pictures and of the last row's
}

// Pictures is a stream of pictures that can be gone through again.
type Pictures struct {
	Name string // one of the settings: another name is another study
	All  iter.Seq2[image.Image, error]
}

// NamedPictures are the pictures of a row.
type NamedPictures struct {
	Row string
	Pictures
}

// Features turns pictures into vectors, one for each: a vision tower.
type Features interface {
	Features(ctx context.Context, images ...image.Image) ([][]float64, error)
}

// Distance is a column of Table 5.
type Distance struct {
	Name     string
	Features Features
	// Between is the distance of real and generated features, [pictures][numbers].
	Between  func(real, generated [][]float64) (float64, error)
	Decimals int // that are printed
}

// Folder is the pictures of a folder and the folders in it, in the order of their names.
func Folder(path string) Pictures {
	return Pictures{Name: filepath.ToSlash(path), All: func(yield func(image.Image, error) bool) {
		files, err := picturesIn(path)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, file := range files {
			if !yield((overlay.Reader{White: -1}).Open(file)) {
				return
			}
		}
	}}
}

// picturesIn lists the files with extensions of pictures.
func picturesIn(folder string) ([]string, error) {
	var out []string
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		known := []string{".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".JPG", ".JPEG", ".PNG"}
		if err == nil && !entry.IsDir() && slices.Contains(known, filepath.Ext(path)) {
			out = append(out, path)
		}
		return err
	})
	if err == nil && len(out) == 0 {
		err = fmt.Errorf("%w: %s has no pictures", ErrSettings, folder)
	}
	return out, err
}

// Plan has a cell for each set and distance.
func (s *Quality) Plan() (Plan, error) {
	if s.Real.All == nil || len(s.Generated) == 0 && s.Of == nil || len(s.Distances) == 0 {
		return Plan{}, fmt.Errorf("%w: Real, Generated (or Of) and Distances must be given", ErrSettings)
	}
	if s.Resamples == 0 {
		s.Resamples = 20
	}
	if s.Short {
		s.Resamples = min(s.Resamples, 4)
	}
	s.seen = map[looked][][]float64{}
	settings := qualitySettings{Real: s.Real.Name, Resamples: s.Resamples, Short: s.Short}
	s.rows = slices.Clone(s.Generated)
	if s.Of != nil {
		if err := s.Of.resolve(); err != nil {
			return Plan{}, fmt.Errorf("rows of Table 1: %w", err)
		}
		of := s.Of.settings()
		settings.Of = &of
		for _, row := range s.Of.rows() {
			s.rows = append(s.rows, NamedPictures{Row: row, Pictures: Pictures{Name: commonsenseName}})
		}
	}
	p := Plan{Name: "table5", Title: "Table 5: distance of generated pictures from real ones"}
	for _, g := range s.rows {
		settings.Generated = append(settings.Generated, g.Row+": "+g.Name)
		for _, d := range s.Distances {
			p.Cells = append(p.Cells, Cell{Row: g.Row, Column: d.Name})
		}
	}
	for _, d := range s.Distances {
		settings.Distances = append(settings.Distances, fmt.Sprintf("%s: %T", d.Name, d.Features))
	}
	p.Settings = settings
	return p, nil
}

type qualitySettings struct {
	Real      string   `json:"real"`
	Generated []string `json:"generated"`
	Distances []string `json:"distances"`
	Resamples int      `json:"resamples"`
	Short     bool     `json:"short,omitempty"`

	Of *commonsenseSettings `json:"of,omitempty"`
}

// Measure computes one distance, and those of sets that were drawn anew.
func (s *Quality) Measure(ctx context.Context, b *Bench, c Cell) (m Measurement, err error) {
	row := slices.IndexFunc(s.rows, func(g NamedPictures) bool { return g.Row == c.Row })
	column := slices.IndexFunc(s.Distances, func(d Distance) bool { return d.Name == c.Column })
	d, tower := s.Distances[column], s.tower(column)
	var sets [2][][]float64
	for k, of := range []looked{{realRow, tower}, {row, tower}} {
		if sets[k], err = s.look(ctx, b, of); err != nil {
			return m, err
		}
	}
	value, err := d.Between(sets[0], sets[1])
	if err != nil {
		return m, err
	}
	m.Value = Number(value)
	m.Numbers = map[string]Number{"real pictures": Number(len(sets[0])), "generated pictures": Number(len(sets[1]))}
	rng := rand.New(rand.NewPCG(uint64(len(sets[1])), 5))
	for k := range max(0, s.Resamples) {
		b.report("resampling", k+1, s.Resamples)
		drawn := make([][]float64, len(sets[1]))
		for i := range drawn {
			drawn[i] = sets[1][rng.IntN(len(drawn))]
		}
		again, err := d.Between(sets[0], drawn)
		if err != nil {
			return m, err
		}
		m.Samples = append(m.Samples, Sample{Values: map[string]Number{resampled: Number(again)}})
	}
	return m, nil
}

// resampled is the value of a sample: the distance of a set that was drawn anew.
const resampled = "resampled distance"

// featureBatch is how many pictures are looked at together, and shortPictures how many
// of each set in the short form.
const (
	featureBatch  = 16
	shortPictures = 8
)

// looked says of which pictures features are, and by what.
type looked struct {
	row   int // of generated pictures, or realRow
	tower int // the first column with these features
}

const realRow = -1

// tower is the first column that has the features of one.
func (s *Quality) tower(column int) int {
	f := s.Distances[column].Features
	if !reflect.ValueOf(f).Comparable() {
		return column
	}
	return slices.IndexFunc(s.Distances, func(d Distance) bool {
		return reflect.ValueOf(d.Features).Comparable() && d.Features == f
	})
}

// look returns the features of a set of pictures, which it looks at unless a cell before
// has: the real ones are those of all rows, and the columns of a row often have one tower.
func (s *Quality) look(ctx context.Context, b *Bench, of looked) ([][]float64, error) {
	if vectors, ok := s.seen[of]; ok {
		return vectors, nil
	}
	pictures := s.Real
	if of.row != realRow {
		pictures = s.rows[of.row].Pictures
		if pictures.All == nil {
			pictures.All = s.Of.outputs(ctx, b.as(commonsenseName), s.rows[of.row].Row)
		}
		maps.DeleteFunc(s.seen, func(old looked, _ [][]float64) bool { return old.row != realRow && old.row != of.row })
	}
	vectors, err := s.features(ctx, b, s.Distances[of.tower].Features, pictures)
	if err == nil {
		s.seen[of] = vectors
	}
	return vectors, err
}

// features looks at all pictures of a stream.
func (s *Quality) features(ctx context.Context, b *Bench, f Features, pictures Pictures) ([][]float64, error) {
	all := pictures.All
	if s.Short {
		all = first(all, shortPictures)
	}
	var out [][]float64
	for batch, err := range pixels.Batches(all, featureBatch) {
		if err != nil {
			return nil, err
		}
		vectors, err := f.Features(ctx, batch...)
		if err != nil {
			return nil, err
		}
		if len(vectors) != len(batch) {
			return nil, fmt.Errorf("%w: %T gave %d vectors for %d pictures", ErrSettings, f, len(vectors), len(batch))
		}
		out = append(out, vectors...)
		b.report("features of "+pictures.Name, len(out), 0)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return out, ctx.Err()
}

// first is the beginning of a stream.
func first(pictures iter.Seq2[image.Image, error], n int) iter.Seq2[image.Image, error] {
	return func(yield func(image.Image, error) bool) {
		k := 0
		for img, err := range pictures {
			if k++; !yield(img, err) || k == n {
				return
			}
		}
	}
}

// Summarize makes the paper's Table 5. A set that is drawn anew has some pictures twice
// and is farther from the real ones for that alone, so what the draws are farther on
// average is taken off them.
func (s *Quality) Summarize(r *Report, b Bootstrap) (Table, *Figure) {
	t := Table{Columns: []string{"Method"}, Notes: []string{
		"paper, FLUX.1 schnell against MS-COCO 30K, CMMD (FID): Base Prompt 1.17 (102.8), Base Prompt + Ours 1.10 (98.7), " +
			"Expanded Prompt 1.23 (102.0), Expanded Prompt + Ours 1.15 (98.7)."}}
	for _, d := range s.Distances {
		t.Columns = append(t.Columns, d.Name)
	}
	for _, g := range s.rows {
		row := Row{Name: g.Row}
		for _, d := range s.Distances {
			e := Entry{Text: none}
			if result, ok := r.Cell(Cell{Row: g.Row, Column: d.Name}); ok {
				e = entry(b.centred(float64(result.Value), column(result.Samples, resampled)), 1, d.Decimals)
			}
			row.Entries = append(row.Entries, e)
		}
		t.Rows = append(t.Rows, row)
	}
	return t, nil
}

// centred is the interval of the percentile bootstrap, moved so that the mean of the draws lies on
// the value. What is negative in none of them has no negative bound.
func (b Bootstrap) centred(value float64, again []float64) Interval {
	i := Interval{Number(value), Number(value), Number(value), len(again)}
	if len(again) < 2 {
		i.Units = 1
		return i
	}
	slices.Sort(again)
	level, farther := b.level(), mean(again)-value
	least := min(0, value, again[0])
	i.Low = Number(max(least, quantile(again, (1-level)/2)-farther))
	i.High = Number(max(least, quantile(again, (1+level)/2)-farther))
	return i
}
