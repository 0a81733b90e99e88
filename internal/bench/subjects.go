package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/generator/flux"
	"github.com/dualprocess/dualprocess-go/generator/flux2"
	"github.com/dualprocess/dualprocess-go/generator/sana"
	"github.com/dualprocess/dualprocess-go/generator/sanasprint"
	"github.com/dualprocess/dualprocess-go/generator/sd"
	"github.com/dualprocess/dualprocess-go/generator/zimage"
	"github.com/dualprocess/dualprocess-go/internal/lifesize"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
	"github.com/dualprocess/dualprocess-go/verifier/gemma3"
	"github.com/dualprocess/dualprocess-go/verifier/idefics2"
	"github.com/dualprocess/dualprocess-go/verifier/llava"
	"github.com/dualprocess/dualprocess-go/verifier/mistral3"
	"github.com/dualprocess/dualprocess-go/verifier/pixtral"
	"github.com/dualprocess/dualprocess-go/verifier/qwen25vl"
	"github.com/dualprocess/dualprocess-go/verifier/qwen35"
	"github.com/dualprocess/dualprocess-go/verifier/qwen3vl"
	"github.com/dualprocess/dualprocess-go/verifier/smolvlm2"
)

// opener opens a model, so that it may say what it lacks.
type opener func(ctx context.Context, rt *backends.Runtime, folder fs.FS) error

// model is a folder of the project with a bench.json.
type model struct {
	kind, name string
	open       opener
}

// The kinds of models are the folders that they lie in.
const (
	generators = "generator"
	verifiers  = "verifier"
)

// models are all that there are, in the order of the table.
func models() []model {
	return []model{
		{generators, "flux", lifesize.Opening(flux.OpenFS)},
		{generators, "flux2", lifesize.Opening(flux2.OpenFS)},
		{generators, "sana", lifesize.Opening(sana.OpenFS)},
		{generators, "sanasprint", lifesize.Opening(sanasprint.OpenFS)},
		{generators, "sd", lifesize.Opening(sd.OpenFS)},
		{generators, "zimage", lifesize.Opening(zimage.OpenFS)},
		{verifiers, "qwen25vl", lifesize.Opening(qwen25vl.OpenFS)},
		{verifiers, "idefics2", lifesize.Opening(idefics2.OpenFS)},
		{verifiers, "llava", lifesize.Opening(llava.OpenFS)},
		{verifiers, "gemma3", lifesize.Opening(gemma3.OpenFS)},
		{verifiers, "pixtral", lifesize.Opening(pixtral.OpenFS)},
		{verifiers, "qwen3vl", lifesize.Opening(qwen3vl.OpenFS)},
		{verifiers, "qwen35", lifesize.Opening(qwen35.OpenFS)},
		{verifiers, "mistral3", lifesize.Opening(mistral3.OpenFS)},
		{verifiers, "smolvlm2", lifesize.Opening(smolvlm2.OpenFS)},
	}
}

// plan is a model's bench.json: what is measured of it.
type plan struct {
	Title   string                    `json:"title"`   // in the table
	Fixture string                    `json:"fixture"` // folder of the small checkpoint whose configurations are taken
	Side    int                       `json:"side"`    // of the picture, in pixels
	Step    int                       `json:"step"`    // of a generator's sampler
	Options json.RawMessage           `json:"options"` // of generator.Open
	Sampler samplerPlan               `json:"sampler"` // of a generator's pictures
	Changes map[string]map[string]any `json:"changes"` // of the fixture's JSON files; objects are merged
}

// subject is a model that is measured.
type subject struct {
	plan
	Kind, Name string
	fixture    fs.FS
	open       opener
}

// fixtures is where the small checkpoints are, seen from the project's root.
const fixtures = "internal/golden/testdata"

// find returns the models that are named, separated by commas, or all.
func find(root fs.FS, names string) ([]subject, error) {
	var subjects []subject
	var known []string
	wanted := strings.FieldsFunc(names, func(r rune) bool { return r == ',' || r == ' ' })
	for _, m := range models() {
		known = append(known, m.name)
		if len(wanted) > 0 && !slices.Contains(wanted, m.name) {
			continue
		}
		s, err := m.read(root)
		if err != nil {
			return nil, err
		}
		subjects = append(subjects, s)
	}
	for _, name := range wanted {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("-models: there is no %q, but %s", name, strings.Join(known, ", "))
		}
	}
	return subjects, nil
}

// read reads a model's plan.
func (m model) read(root fs.FS) (subject, error) {
	s := subject{Kind: m.kind, Name: m.name, open: m.open}
	file := path.Join(m.kind, m.name, "bench.json")
	text, err := fs.ReadFile(root, file)
	if errors.Is(err, fs.ErrNotExist) {
		return s, fmt.Errorf("%w; run this in the project's root folder, or name that with -root", err)
	}
	if err != nil {
		return s, err
	}
	if s.plan, err = parse(text); err != nil {
		return s, fmt.Errorf("%s: %w", file, err)
	}
	s.fixture, err = fs.Sub(root, path.Join(fixtures, s.Fixture))
	return s, err
}

// parse reads a plan strictly: a field with a slip in its name would measure something else.
func parse(text []byte) (p plan, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	d.UseNumber() // a number that is whole stays so
	if err := d.Decode(&p); err != nil {
		return p, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return p, errors.New("something stands behind the object")
	}
	if p.Title == "" || p.Fixture == "" || p.Side < 1 || p.Step < 0 {
		return p, errors.New("title, fixture and side are needed, and a step is not negative")
	}
	return p, nil
}

// checkpoint returns the files of the model at the plan's sizes.
func (s subject) checkpoint(ctx context.Context, dtype safetensors.DType) (fs.FS, error) {
	changes := map[string]any{}
	for file, fields := range s.Changes {
		flatten(changes, file+" ", fields)
	}
	return lifesize.Model{Folder: s.fixture, Changes: changes, DType: dtype, Open: s.open}.Files(ctx)
}

// flatten names the fields of objects in objects as lifesize does, by their paths.
func flatten(into map[string]any, prefix string, fields map[string]any) {
	for name, value := range fields {
		if inner, ok := value.(map[string]any); ok {
			flatten(into, prefix+name+".", inner)
			continue
		}
		into[prefix+name] = value
	}
}
