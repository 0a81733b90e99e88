package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"math"
	"path/filepath"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/files"
	"github.com/dualprocess/dualprocess-go/internal/pocket/measuring"
	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
	"github.com/dualprocess/dualprocess-go/overlay"
	"github.com/dualprocess/dualprocess-go/verifier"
)

// opinion says P(Yes) of a question about pictures; NaN where it cannot tell.
type opinion func(ctx context.Context, q dualprocess.Question, pictures []dualprocess.Rating) ([]float64, error)

// How far from the line, in heights, a horizon still lies on it, and from where on it
// clearly does not: a person would not label what is between. Nor can be told what the
// measurement is not sure of, or finds in colours that its landscapes do not have: there
// it is the measurement that the picture fools.
const (
	onLine   = .035
	offLine  = .09
	sureFrom = .9
	nearTo   = .045
)

// secondOpinion is that of the vision-language model in a folder, or of the measurement.
func secondOpinion(ctx context.Context, rt *backends.Runtime, row float64, folder string) (opinion, error) {
	if folder == "" {
		return func(_ context.Context, _ dualprocess.Question, pictures []dualprocess.Rating) ([]float64, error) {
			return measured(pictures, row), nil
		}, nil
	}
	v, err := verifier.Open(ctx, rt, folder, verifier.Options{})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, q dualprocess.Question, pictures []dualprocess.Rating) ([]float64, error) {
		q.Answer = "Yes"
		images := make([]image.Image, len(pictures))
		for k, r := range pictures {
			images[k] = r.Image
		}
		p, err := dualprocess.Score(ctx, rt, v, []dualprocess.Question{q}, images...)
		if err != nil {
			return nil, err
		}
		yes := make([]float64, len(p))
		for k := range p {
			yes[k] = p[k][0]
		}
		return yes, nil
	}, nil
}

// measured is the opinion of the measurement.
func measured(pictures []dualprocess.Rating, row float64) []float64 {
	yes := make([]float64, len(pictures))
	for k, r := range pictures {
		picture := world.FromImage(r.Image)
		caption, err := world.Parse(r.Prompt)
		at, sure := measuring.Horizon(picture)
		switch distance := math.Abs(at - row); {
		case err != nil || sure < sureFrom || measuring.PaletteError(picture, caption) > nearTo:
			yes[k] = math.NaN()
		case distance <= onLine:
			yes[k] = 1
		case distance >= offLine:
			yes[k] = 0
		default:
			yes[k] = math.NaN()
		}
	}
	return yes
}

// find is a picture on which two opinions differ: a line of the data set.
type find struct {
	Image    string  `json:"image"`    // file, as the verifier saw it
	Plain    string  `json:"plain"`    // file, without the overlay
	Question string  `json:"question"` // with its suffix
	Answer   string  `json:"answer"`   // the label: that of the second opinion
	Verifier string  `json:"verifier"` // what the verifier says instead
	P        float64 `json:"p"`        // P(Yes) by the verifier, or one less P(No) where that was asked
	Second   float64 `json:"second"`   // P(Yes) by the second opinion
	Prompt   string  `json:"prompt"`
	Seed     int64   `json:"seed"`
	Update   int     `json:"update"` // of the training that made it; 0 = the base model

	picture image.Image
}

// apart is by how much the opinions differ.
func (f find) apart() float64 { return math.Abs(f.P - f.Second) }

// collection is what was found.
type collection struct {
	line            overlay.Solid
	ask             opinion
	finds           []find
	looked, unclear int
}

// look asks for second opinions of pictures that a question was asked about after so
// many updates.
func (c *collection) look(ctx context.Context, q dualprocess.Question, update int, ratings ...dualprocess.Rating) error {
	second, err := c.ask(ctx, q, ratings)
	if err != nil {
		return err
	}
	for k, r := range ratings {
		c.looked++
		if math.IsNaN(second[k]) {
			c.unclear++
			continue
		}
		yes := r.P[0]
		if q.Answer == "No" {
			yes = 1 - yes
		}
		f := find{Question: q.Prompt(), Answer: word(second[k]), Verifier: word(yes), P: yes, Second: second[k],
			Prompt: r.Prompt, Seed: r.Seed, Update: update, picture: r.Image}
		if f.Answer != f.Verifier {
			c.add(f)
		}
	}
	return nil
}

func word(yes float64) string {
	if yes >= .5 {
		return "Yes"
	}
	return "No"
}

// add keeps, of a prompt and seed, the find with each label where the opinions differ
// most: the pictures of one training resemble each other.
func (c *collection) add(f find) {
	for k, old := range c.finds {
		if old.Prompt == f.Prompt && old.Seed == f.Seed && old.Answer == f.Answer {
			if f.apart() > old.apart() {
				c.finds[k] = f
			}
			return
		}
	}
	c.finds = append(c.finds, f)
}

// count is the number of finds with a label.
func (c *collection) count(answer string) int {
	n := 0
	for _, f := range c.finds {
		if f.Answer == answer {
			n++
		}
	}
	return n
}

// write writes pictures and mined.jsonl into a folder.
func (c *collection) write(folder string) error {
	var lines bytes.Buffer
	for k := range c.finds {
		f := &c.finds[k]
		f.Image, f.Plain = fmt.Sprintf("mined-%03d.png", k+1), fmt.Sprintf("mined-%03d-plain.png", k+1)
		seen, err := c.line.Over(f.picture)
		if err != nil {
			return err
		}
		for name, picture := range map[string]image.Image{f.Image: seen, f.Plain: f.picture} {
			if err := files.Write(filepath.Join(folder, name), func(w io.Writer) error { return png.Encode(w, picture) }); err != nil {
				return err
			}
		}
		line, err := json.Marshal(f)
		if err != nil {
			return err
		}
		lines.Write(append(line, '\n'))
	}
	return files.Write(filepath.Join(folder, "mined.jsonl"), func(w io.Writer) error {
		_, err := lines.WriteTo(w)
		return err
	})
}
