package study

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	"image/draw"
	"io"
	"os"
	"path/filepath"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/overlay"
)

// Discernment is the paper's Table 3: how well verifiers agree with labels. Accuracy is
// how often the likelier of Yes and No is the label's; sensitivity is how much likelier
// the right word is than the wrong one, P(right) − P(wrong), on average.
type Discernment struct {
	Judges   []Judge
	Pictures []Labelled
	Short    bool // 4 pictures
}

// Judge is a verifier to be examined.
type Judge struct {
	Name   string
	Scorer dualprocess.Scorer
}

// Labelled is a picture with a question and its answer.
type Labelled struct {
	File     string      // of the picture, or else
	Image    image.Image // the picture, with the question's overlay if it has one
	Question string
	Yes      bool   // whether the answer is Yes rather than No
	Topic    string // that accuracies are reported by; "" = all alike
}

// labelledJSON is a line of a file of labelled pictures.
type labelledJSON struct {
	Image       string `json:"image"`
	Question    string `json:"question"`
	Description string `json:"description"` // in place of a question: Fits is asked
	Answer      string `json:"answer"`      // Yes or No
	Topic       string `json:"topic"`
}

// ReadLabelled reads labelled pictures from a file of JSON lines: image (a file, seen
// from the folder of the lines), question or description, answer (Yes or No), and topic
// if there are several.
func ReadLabelled(path string) ([]Labelled, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("study: labels: %w", err)
	}
	defer f.Close()
	labelled, err := parseLabelled(f, filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("study: labels: %s: %w", path, err)
	}
	return labelled, nil
}

func parseLabelled(r io.Reader, folder string) ([]Labelled, error) {
	var out []Labelled
	for lines := json.NewDecoder(r); lines.More(); {
		var line labelledJSON
		if err := lines.Decode(&line); err != nil {
			return nil, fmt.Errorf("%w: picture %d: %w", ErrSettings, len(out)+1, err)
		}
		l := Labelled{File: filepath.Join(folder, filepath.FromSlash(line.Image)), Question: line.Question, Yes: line.Answer == "Yes", Topic: line.Topic}
		if l.Question == "" && line.Description != "" {
			l.Question = Fits(line.Description).Text
		}
		if line.Image == "" || l.Question == "" || (line.Answer != "Yes" && line.Answer != "No") {
			return nil, fmt.Errorf("%w: picture %d needs image, question or description, and answer, Yes or No", ErrSettings, len(out)+1)
		}
		out = append(out, l)
	}
	return out, nil
}

// partSize is how many pictures a cell has.
const partSize = 25

// Plan has cells of some pictures each.
func (s *Discernment) Plan() (Plan, error) {
	if s.Short {
		s.Pictures, s.Judges = s.Pictures[:min(4, len(s.Pictures))], s.Judges[:min(1, len(s.Judges))]
	}
	if len(s.Judges) == 0 || len(s.Pictures) == 0 {
		return Plan{}, fmt.Errorf("%w: Judges and Pictures must be given", ErrSettings)
	}
	settings := discernmentSettings{Pictures: len(s.Pictures)}
	p := Plan{Name: "table3", Title: "Table 3: verifiers against labels"}
	for _, j := range s.Judges {
		if j.Scorer == nil || j.Name == "" {
			return Plan{}, fmt.Errorf("%w: a judge needs Name and Scorer", ErrSettings)
		}
		settings.Judges = append(settings.Judges, fmt.Sprintf("%s: %T", j.Name, j.Scorer))
		for k := 0; k < len(s.Pictures); k += partSize {
			p.Cells = append(p.Cells, Cell{Row: "pictures", Column: j.Name, Repeat: fmt.Sprintf("from %d", k+1)})
		}
	}
	settings.Digest = digest(s.Pictures)
	p.Settings = settings
	return p, nil
}

type discernmentSettings struct {
	Judges   []string `json:"judges"`
	Pictures int      `json:"pictures"`
	Digest   string   `json:"digest"` // of questions, labels, and pictures or their files' names
}

func digest(pictures []Labelled) string {
	hash := sha256.New()
	for _, l := range pictures {
		fmt.Fprintf(hash, "%q %q %t %q\n", l.File, l.Question, l.Yes, l.Topic)
		if l.Image != nil {
			plain := image.NewNRGBA(l.Image.Bounds())
			draw.Draw(plain, plain.Rect, l.Image, plain.Rect.Min, draw.Src)
			hash.Write(plain.Pix) // never fails
		}
	}
	return hex.EncodeToString(hash.Sum(nil)[:8])
}

// Measure asks one judge about some of the pictures.
func (s *Discernment) Measure(ctx context.Context, b *Bench, c Cell) (m Measurement, err error) {
	for _, j := range s.Judges {
		for k := 0; k < len(s.Pictures); k += partSize {
			if j.Name != c.Column || fmt.Sprintf("from %d", k+1) != c.Repeat {
				continue
			}
			for n := k; n < min(k+partSize, len(s.Pictures)); n++ {
				b.report("asking", n-k+1, partSize)
				sample, err := s.Pictures[n].ask(ctx, b, j.Scorer, n)
				if err != nil {
					return m, fmt.Errorf("picture %d: %w", n+1, err)
				}
				m.Samples = append(m.Samples, sample)
			}
		}
	}
	m.Value = Number(mean(column(m.Samples, accuracy)))
	return m, nil
}

// The values of a sample, beside the probabilities.
const accuracy, sensitivity = "accuracy", "sensitivity"

// ask asks for both words.
func (l Labelled) ask(ctx context.Context, b *Bench, judge dualprocess.Scorer, n int) (Sample, error) {
	img, file := l.Image, l.File
	var err error
	if img == nil {
		if img, err = (overlay.Reader{White: -1}).Open(l.File); err != nil {
			return Sample{}, err
		}
	} else if file, err = b.Keep(img, fmt.Sprintf("picture %d", n+1)); err != nil {
		return Sample{}, err
	}
	var p [2]float64 // of Yes and of No
	for k, answer := range []string{"Yes", "No"} {
		if p[k], err = judge.Score(ctx, img, dualprocess.Question{Text: l.Question, Answer: answer}); err != nil {
			return Sample{}, err
		}
	}
	right, wrong := p[0], p[1]
	if !l.Yes {
		right, wrong = wrong, right
	}
	values := map[string]Number{"P(Yes)": Number(p[0]), "P(No)": Number(p[1]), sensitivity: Number(right - wrong), accuracy: 0}
	if right > wrong {
		values[accuracy] = 1
	}
	return Sample{Prompt: l.Question, Picture: filepath.ToSlash(file), Group: l.Topic, Values: values}, nil
}

// Summarize makes the paper's Table 3, and below it the accuracy by topic.
func (s *Discernment) Summarize(r *Report, b Bootstrap) (Table, *Figure) {
	t := Table{Columns: []string{""}, Rows: []Row{{Name: "Accuracy"}, {Name: "Sensitivity"}}, Notes: []string{
		"paper, on 1200 pictures by FLUX.1 schnell: accuracy (and sensitivity) of LLaVA 0.7250 (0.2875), Qwen2.5-VL 0.7892 (0.5504), " +
			"Idefics2 0.8092 (0.5998), Gemma 3 4B 0.7758 (0.5536), 12B 0.7858 (0.5686), 27B 0.8108 (0.6219), GPT-4o 0.8183 (not known)."}}
	topics := s.topics()
	for _, topic := range topics {
		t.Rows = append(t.Rows, Row{Name: "Accuracy: " + topic})
	}
	for _, j := range s.Judges {
		t.Columns = append(t.Columns, j.Name)
		results := r.Where("", j.Name)
		for k, name := range []string{accuracy, sensitivity} {
			t.Rows[k].Entries = append(t.Rows[k].Entries, entry(b.Mean(each(results, name, "")), 1, 4))
		}
		for k, topic := range topics {
			t.Rows[2+k].Entries = append(t.Rows[2+k].Entries, entry(b.Mean(each(results, accuracy, topic)), 1, 4))
		}
	}
	return t, nil
}

// topics are those of the pictures, if there are several.
func (s *Discernment) topics() []string {
	var out []string
	seen := map[string]bool{}
	for _, l := range s.Pictures {
		if !seen[l.Topic] {
			out = append(out, l.Topic)
		}
		seen[l.Topic] = true
	}
	if len(out) < 2 {
		return nil
	}
	return out
}

// each are the values of a name, each sample a unit, of one group or of all ("").
func each(results []Result, name, group string) [][]float64 {
	var out [][]float64
	for _, r := range results {
		for _, s := range r.Samples {
			if group == "" || s.Group == group {
				out = append(out, []float64{float64(s.Values[name])})
			}
		}
	}
	return out
}
