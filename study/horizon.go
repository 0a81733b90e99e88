package study

import (
	"context"
	"fmt"
	"image"
	"math"
	"slices"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/lora"
	"github.com/dualprocess/dualprocess-go/overlay"
)

// Horizon is the paper's Table 6: how far the horizon is from a line, in heights of the
// picture, over prompts × lines × unseen seeds. "Ours" has an adapter for each prompt
// and line.
type Horizon struct {
	Setup

	// Locate measures a picture's horizon: its row as a share of the height, from the
	// top; not found is what has none. It must be given: the paper takes Perspective
	// Fields, and package study/pocket has a measurement for the pocket world.
	Locate func(img image.Image) (row float64, found bool)

	Prompts []string  // nil = the paper's three
	Lines   []float64 // rows; nil = five, equally spaced

	// Question asks whether the horizon is on a line; nil = OnLine.
	Question func(row float64) dualprocess.Question
	// Expand asks for the line in the words of a prompt; nil = some words of ours. "" says
	// that no words can: the column then stays empty.
	Expand func(prompt string, row float64) string
}

// OnLine is the paper's question, about a red line that lies over the picture.
func OnLine(row float64) dualprocess.Question {
	return dualprocess.Question{
		Text: "Is the horizon aligned with the red line?", Answer: "Yes",
		Overlay: overlay.Solid{Picture: overlay.HorizonLine{Row: row}},
	}
}

// The columns of Table 6.
const (
	noControl       = "No Control"
	promptExpansion = "Prompt Expansion"
	ours            = "Ours"
)

func methods() []string { return []string{noControl, promptExpansion, ours} }

// Plan has a cell for each method, line and prompt.
func (s *Horizon) Plan() (Plan, error) {
	if err := s.resolve(); err != nil {
		return Plan{}, err
	}
	p := Plan{Name: "table6", Title: "Table 6: distance of the horizon from the line, in heights of the picture", Settings: s.settings()}
	for k := range s.Prompts {
		for _, row := range s.Lines {
			for _, method := range methods() {
				if method != promptExpansion || s.Expand(s.Prompts[k], row) != "" {
					p.Cells = append(p.Cells, Cell{method, lineName(row), promptName(k)})
				}
			}
		}
	}
	return p, nil
}

func lineName(row float64) string { return fmt.Sprintf("line at %.4g", row) }

func promptName(k int) string { return fmt.Sprintf("prompt %d", k+1) }

func (s *Horizon) resolve() error {
	if err := s.Setup.resolve(5); err != nil {
		return err
	}
	if s.Locate == nil {
		return fmt.Errorf("%w: Locate must be given", ErrSettings)
	}
	if s.Prompts == nil {
		s.Prompts = []string{"A teddy bear riding a skateboard in Times Square", "A dutch landscape painting", "A tropical beach"}
	}
	if s.Lines == nil {
		s.Lines = []float64{1. / 6, 2. / 6, 3. / 6, 4. / 6, 5. / 6}
	}
	if s.Question == nil {
		s.Question = OnLine
	}
	if s.Expand == nil {
		s.Expand = func(prompt string, row float64) string {
			return fmt.Sprintf("%s. The horizon lies at %.0f %% of the picture's height, counted from the top", prompt, 100*row)
		}
	}
	if s.Short {
		s.Prompts, s.Lines = s.Prompts[:min(1, len(s.Prompts))], s.Lines[:min(1, len(s.Lines))]
	}
	if len(s.Prompts) == 0 || len(s.Lines) == 0 {
		return fmt.Errorf("%w: Prompts and Lines must not be empty", ErrSettings)
	}
	return nil
}

type horizonSettings struct {
	Setup    setupSettings      `json:"setup"`
	Prompts  []string           `json:"prompts"`
	Lines    []float64          `json:"lines"`
	Question []questionSettings `json:"question"` // about the first line
	Expanded string             `json:"expanded"` // the first prompt, for the first line
}

func (s *Horizon) settings() horizonSettings {
	return horizonSettings{s.Setup.settings(), s.Prompts, s.Lines, settingsOf(s.Question(s.Lines[0])), s.Expand(s.Prompts[0], s.Lines[0])}
}

// Measure makes the pictures of a prompt by one method, and finds their horizons.
func (s *Horizon) Measure(ctx context.Context, b *Bench, c Cell) (m Measurement, err error) {
	prompt, row, err := s.of(c)
	if err != nil {
		return m, err
	}
	var adapter *lora.Adapter
	switch c.Row {
	case promptExpansion:
		prompt = s.Expand(prompt, row)
	case ours:
		if adapter, err = b.Train(ctx, c.Repeat+" "+c.Column, s.task(prompt, s.Question(row))); err != nil {
			return m, err
		}
	}
	images, err := b.Pictures(ctx, s.Task, prompt, s.Seeds, adapter)
	if err != nil {
		return m, err
	}
	for k, img := range images {
		at, found := s.Locate(img)
		if !found {
			at = math.NaN()
		}
		sample := Sample{Prompt: prompt, Seed: s.Seeds[k], Values: map[string]Number{"horizon": Number(at), distance: Number(math.Abs(at - row))}}
		if sample.Picture, err = b.Keep(img, fmt.Sprintf("seed %d", k+1)); err != nil {
			return m, err
		}
		m.Samples = append(m.Samples, sample)
	}
	m.Value = Number(mean(column(m.Samples, distance)))
	return m, nil
}

// distance is the value of a sample that Table 6 is about.
const distance = "distance"

// of returns the prompt and the line of a cell.
func (s *Horizon) of(c Cell) (string, float64, error) {
	for k, prompt := range s.Prompts {
		for _, row := range s.Lines {
			if promptName(k) == c.Repeat && lineName(row) == c.Column {
				return prompt, row, nil
			}
		}
	}
	return "", 0, fmt.Errorf("%w: there is no %v", ErrSettings, c)
}

// Summarize makes the paper's Table 6. What hangs together, and is drawn together for
// the intervals, are the pictures of one prompt and line: they have one adapter.
func (s *Horizon) Summarize(r *Report, b Bootstrap) (Table, *Figure) {
	t := Table{
		Columns: append([]string{""}, methods()...),
		Rows: []Row{{Name: "Horizon Distance"}, {Name: "pictures with a horizon"},
			paper("paper, FLUX.1 schnell: Horizon Distance", "0.2204", "0.1923", "0.1705")},
	}
	f := &Figure{Title: r.Title, Y: "distance, heights of the picture"}
	for _, row := range s.Lines {
		f.Names = append(f.Names, lineName(row))
	}
	for _, method := range methods() {
		results := r.Where(method, "")
		t.Rows[0].Entries = append(t.Rows[0].Entries, entry(b.Mean(units(results, distance)), 1, 4))
		t.Rows[1].Entries = append(t.Rows[1].Entries, found(results))
		if len(results) == 0 {
			continue
		}
		series := Series{Name: method}
		for _, row := range s.Lines {
			series.Y = append(series.Y, b.Mean(units(r.Where(method, lineName(row)), distance)))
		}
		f.Series = append(f.Series, series)
	}
	if !slices.ContainsFunc(r.Cells, func(c Result) bool { return c.Row == promptExpansion }) {
		t.Notes = append(t.Notes, "Prompt Expansion: no prompt of this generator can ask for a row.")
	}
	return t, f
}

// found counts the pictures that could be measured.
func found(results []Result) Entry {
	all := slices.Concat(units(results, distance)...)
	if len(all) == 0 {
		return Entry{Text: none}
	}
	return text("%d of %d", len(known(all)), len(all))
}

// column are the values of a name.
func column(samples []Sample, name string) []float64 {
	var out []float64
	for _, s := range samples {
		if v, ok := s.Values[name]; ok {
			out = append(out, float64(v))
		}
	}
	return out
}

// units are the values of a name, each cell a unit.
func units(results []Result, name string) [][]float64 {
	var out [][]float64
	for _, r := range results {
		out = append(out, column(r.Samples, name))
	}
	return out
}
