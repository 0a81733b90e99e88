package study

import (
	"context"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"time"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/lora"
)

// Latents is the paper's Table 2: the same gradient spent on the latents of some seeds,
// or on the generator's weights. What either costs stands beside what it does to the
// pictures of its own seeds, of other seeds, and of other prompts; of the latents, their
// mean offset is all that can be carried over.
//
// Task.Seeds are those that both optimise; all at once where it is latents.
type Latents struct {
	Setup
	Prompt   string   // that both are optimised for
	Unseen   []string // other prompts
	Question dualprocess.Question
	Unroll   int // of dualprocess.LatentTask

	// Gauge measures on a picture what the question asks for; NaN cannot be told. nil =
	// P(answer) by the verifier.
	Gauge     func(img image.Image, prompt string) float64
	GaugeName string // "" = P(answer)
}

// Rows of the cells of Latents, which are the columns of its table.
const (
	Before    = "Before"
	ByLatents = "Latents"
	ByWeights = "Weights"
)

// Groups of a cell's samples.
const (
	OwnSeeds      = "their own seeds"
	UnseenSeeds   = "unseen seeds"
	UnseenPrompts = "unseen prompts and seeds"
)

// Certainty is the value of a sample that the verifier gave.
const Certainty = "P(answer)"

// Numbers of a cell, and the value of a sample that Gauge gave.
const (
	optimization = "optimization seconds"
	inference    = "inference seconds"
	peakMemory   = "peak memory bytes"
	gauge        = "gauge"
)

// Plan has three cells.
func (s *Latents) Plan() (Plan, error) {
	if s.Task.Seeds == nil {
		s.Task.Seeds = []int64{1, 2, 3, 4, 5, 6, 7, 8}
	}
	if err := s.resolve(16); err != nil {
		return Plan{}, err
	}
	if s.Prompt == "" || s.Question.Text == "" {
		return Plan{}, fmt.Errorf("%w: Prompt and Question must be given", ErrSettings)
	}
	if s.Short {
		s.Unseen = s.Unseen[:min(1, len(s.Unseen))]
	}
	if s.GaugeName == "" {
		s.GaugeName = Certainty
	}
	settings := latentsSettings{s.settings(), s.Prompt, s.Unseen, settingsOf(s.Question), s.Unroll, s.GaugeName}
	cells := []Cell{{Row: Before}, {Row: ByWeights}, {Row: ByLatents}}
	return Plan{Name: "table2", Title: "Table 2: latents or weights", Cells: cells, Settings: settings}, nil
}

type latentsSettings struct {
	Setup    setupSettings      `json:"setup"`
	Prompt   string             `json:"prompt"`
	Unseen   []string           `json:"unseen"`
	Question []questionSettings `json:"question"`
	Unroll   int                `json:"unroll"`
	Gauge    string             `json:"gauge"`
}

// Measure optimises in one way, and looks at its pictures.
func (s *Latents) Measure(ctx context.Context, b *Bench, c Cell) (m Measurement, err error) {
	m.Numbers = map[string]Number{}
	switch c.Row {
	case ByWeights:
		err = s.weights(ctx, b, &m)
	case ByLatents:
		err = s.latents(ctx, b, &m)
	default:
		err = s.sampled(ctx, b, &m, nil)
	}
	m.Value = Number(mean(column(group(m.Samples, OwnSeeds), gauge)))
	return m, err
}

// weights trains an adapter, from its first update even after an interruption: it is
// being timed.
func (s *Latents) weights(ctx context.Context, b *Bench, m *Measurement) error {
	folder := filepath.Join(b.folder, adapters, b.study)
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	t := s.task(s.Prompt, s.Question)
	t.Progress, t.Status = b.updates, b.status
	memory, began := watchMemory(), time.Now()
	adapter, err := dualprocess.Distill(ctx, t)
	m.Numbers[optimization], m.Numbers[peakMemory] = Number(time.Since(began).Seconds()), memory.stop()
	if err != nil {
		return err
	}
	if err := adapter.Save(filepath.Join(folder, "weights.safetensors"), lora.SaveOptions{}); err != nil {
		return err
	}
	if err := s.sampled(ctx, b, m, adapter); err != nil {
		return err
	}
	began = time.Now() // everything is compiled by now
	if _, err := b.Pictures(ctx, s.Task, s.Prompt, s.Seeds, adapter); err != nil {
		return err
	}
	m.Numbers[inference] = Number(time.Since(began).Seconds() / float64(len(s.Seeds)))
	return nil
}

// sampled makes the pictures of the base model, or of an adapter.
func (s *Latents) sampled(ctx context.Context, b *Bench, m *Measurement, a *lora.Adapter) error {
	for _, g := range s.groups() {
		images, err := b.Pictures(ctx, s.Task, g.prompt, g.seeds, a)
		if err != nil {
			return err
		}
		if err := s.look(ctx, b, m, g, images); err != nil {
			return err
		}
	}
	return nil
}

// latents moves the latents, and carries their mean offset over.
func (s *Latents) latents(ctx context.Context, b *Bench, m *Measurement) error {
	t := s.Task
	memory := watchMemory()
	found, err := dualprocess.OptimizeLatents(ctx, dualprocess.LatentTask{
		Runtime: t.Runtime, Generator: t.Generator, Verifier: t.Verifier,
		Prompt: s.Prompt, Questions: []dualprocess.Question{s.Question}, Seeds: t.Seeds, Updates: t.Updates, Unroll: s.Unroll,
		Progress: b.updates, Status: b.status,
	})
	m.Numbers[peakMemory] = memory.stop()
	if err != nil {
		return err
	}
	m.Numbers[optimization] = Number(found.Elapsed.Seconds())
	m.Numbers[inference] = Number(found.Elapsed.Seconds() / float64(len(t.Seeds)))
	for k, g := range s.groups() {
		images := found.After
		if k > 0 {
			if images, err = s.shifted(ctx, b, g, found); err != nil {
				return err
			}
		}
		if err := s.look(ctx, b, m, g, images); err != nil {
			return err
		}
	}
	return nil
}

// shifted makes pictures from other noise with the mean offset of the latents found.
func (s *Latents) shifted(ctx context.Context, b *Bench, g latentGroup, found *dualprocess.LatentResult) ([]image.Image, error) {
	noise, err := s.Task.Generator.Latents(g.seeds...)
	if err != nil {
		return nil, err
	}
	offset, err := addMeanOffset(noise, found)
	if err != nil {
		return nil, err
	}
	sampler, err := b.samplerFor(s.Task, len(g.seeds))
	if err != nil {
		return nil, err
	}
	return sampler.Render(ctx, dualprocess.Request{Prompt: g.prompt}, offset)
}

// latentGroup are pictures of one prompt.
type latentGroup struct {
	name, prompt string
	seeds        []int64
}

// groups begin with what was optimised.
func (s *Latents) groups() []latentGroup {
	out := []latentGroup{{OwnSeeds, s.Prompt, s.Task.Seeds}, {UnseenSeeds, s.Prompt, s.Seeds}}
	for _, prompt := range s.Unseen {
		out = append(out, latentGroup{UnseenPrompts, prompt, s.Seeds})
	}
	return out
}

// look rates, measures and keeps pictures.
func (s *Latents) look(ctx context.Context, b *Bench, m *Measurement, g latentGroup, images []image.Image) error {
	p, err := dualprocess.Score(ctx, s.Task.Runtime, s.Task.Verifier, []dualprocess.Question{s.Question}, images...)
	if err != nil {
		return err
	}
	for k, img := range images {
		sample := Sample{Prompt: g.prompt, Seed: g.seeds[k], Group: g.name, Values: map[string]Number{Certainty: Number(p[k][0]), gauge: Number(p[k][0])}}
		if s.Gauge != nil {
			sample.Values[gauge] = Number(s.Gauge(img, g.prompt))
		}
		if sample.Picture, err = b.Keep(img, fmt.Sprintf("picture %d", len(m.Samples)+1)); err != nil {
			return err
		}
		m.Samples = append(m.Samples, sample)
	}
	return nil
}

// addMeanOffset adds to the noise of other seeds, [n, ...], what the optimisation added
// to its own on average.
func addMeanOffset(noise *tensors.Tensor, found *dualprocess.LatentResult) (*tensors.Tensor, error) {
	var values [3][]float32
	for k, t := range []*tensors.Tensor{noise, found.Initial, found.Latents} {
		var err error
		if values[k], err = tensors.CopyFlatData[float32](t); err != nil {
			return nil, fmt.Errorf("read latents: %w", err)
		}
	}
	out, initial, latents := values[0], values[1], values[2]
	size := len(initial) / len(found.Seeds) // numbers of one picture
	offset := make([]float32, size)
	for k := range initial {
		offset[k%size] += (latents[k] - initial[k]) / float32(len(found.Seeds))
	}
	for k := range out {
		out[k] += offset[k%size]
	}
	return tensors.FromFlatDataAndDimensions(out, noise.Shape().Dimensions...), nil
}

// group are the samples of a group.
func group(samples []Sample, name string) []Sample {
	var out []Sample
	for _, s := range samples {
		if s.Group == name {
			out = append(out, s)
		}
	}
	return out
}
