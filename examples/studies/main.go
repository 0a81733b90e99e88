// Studies runs the experiments of the paper's tables: with the embedded models, or with
// a generator and a verifier from folders.
//
//	go run ./examples/studies -table 6
//	go run ./examples/studies -short
//	go run ./examples/studies -table 5 -real coco/val2017 -generated out/base,out/ours -clip clip-vit-large-patch14-336
//	go run ./examples/studies -table 1 -generator FLUX.1-schnell -verifier idefics2-8b \
//	    -judge gemma-3-27b-it -rules CommonsensenT2I/data.json -out out/flux
//
// A study that was interrupted goes on where it was when the same command is given
// again. What it writes is said in the documentation of package study; figures of it are
// drawn by the command of the module study/figure.
package main

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/examples/internal/show"
	"github.com/dualprocess/dualprocess-go/generator"
	"github.com/dualprocess/dualprocess-go/study"
	"github.com/dualprocess/dualprocess-go/study/distance"
	"github.com/dualprocess/dualprocess-go/study/pocket"
	"github.com/dualprocess/dualprocess-go/study/questions"
	"github.com/dualprocess/dualprocess-go/verifier"
	"github.com/dualprocess/dualprocess-go/verifier/clip"
	pocketverifier "github.com/dualprocess/dualprocess-go/verifier/pocket"
)

// choice is what the command line asks for besides the flags of all examples.
type choice struct {
	tables              show.Floats
	generator, verifier string
	judge               string
	rules, labels       string
	real, generated     string
	clip                string
	options             generator.Options
}

func main() {
	c := choice{tables: show.Floats{1, 2, 3, 4, 5, 6}}
	flag.Var(&c.tables, "table", "number of the paper's table; several with commas")
	flag.StringVar(&c.generator, "generator", "", "folder of a generator (the embedded models unless given, together with -verifier)")
	flag.StringVar(&c.verifier, "verifier", "", "folder of the vision-language model that teaches")
	flag.StringVar(&c.judge, "judge", "", "folder of another one that judges in tables 1 and 4 (a measurement of the embedded models' pictures, else the one that teaches, unless given)")
	flag.StringVar(&c.rules, "rules", "", "file of rules for tables 1 and 4, such as data.json of CommonsenseT2I (embedded ones unless given)")
	flag.StringVar(&c.labels, "labels", "", "JSON lines of labelled pictures for table 3 (drawn ones unless given)")
	flag.StringVar(&c.real, "real", "", "folder of real pictures for table 5 (drawn ones, and those of table 1 in place of -generated, unless given)")
	flag.StringVar(&c.generated, "generated", "", "folders of generated pictures for table 5, with commas")
	flag.StringVar(&c.clip, "clip", "", "folder of the CLIP between whose features table 5 measures (the embedded verifier's unless given)")
	flag.IntVar(&c.options.Height, "height", 0, "of the pictures of -generator in pixels (what suits it unless given)")
	flag.IntVar(&c.options.Width, "width", 0, "of the pictures of -generator in pixels (what suits it unless given)")
	flag.IntVar(&c.options.Steps, "steps", 0, "of -generator from noise to picture (what suits it unless given)")
	show.Pocket("studies", func(ctx context.Context, run *show.Run) error { return studies(ctx, run, c) })
}

func studies(ctx context.Context, run *show.Run, c choice) error {
	if (c.generator == "") != (c.verifier == "") {
		return fmt.Errorf("-generator and -verifier must be given together")
	}
	rt, err := backends.Open(ctx, run.Backend())
	if err != nil {
		return err
	}
	defer rt.Close()
	c.options.Hub = run.Hub()
	models, err := c.open(ctx, rt)
	if err != nil {
		return err
	}
	for _, number := range c.tables {
		s, err := models.study(number, run)
		if err != nil {
			return err
		}
		if _, err := run.Study(ctx, s); err != nil || ctx.Err() != nil {
			return err
		}
	}
	return nil
}

// models are what the studies are about.
type models struct {
	task     dualprocess.Task
	embedded bool
	label    string
	judge    dualprocess.Scorer // nil = the study's own
	rules    []study.Rule       // nil = embedded
	labels   []study.Labelled   // nil = drawn
	quality  *study.Quality     // nil = no folders were given
}

// open opens all models and files.
func (c choice) open(ctx context.Context, rt *backends.Runtime) (m models, err error) {
	if c.rules != "" {
		if m.rules, err = study.ReadRules(c.rules); err != nil {
			return m, err
		}
	}
	if c.labels != "" {
		if m.labels, err = study.ReadLabelled(c.labels); err != nil {
			return m, err
		}
	}
	if c.judge != "" {
		if m.judge, err = verifier.Open(ctx, rt, c.judge, verifier.Options{Hub: c.options.Hub}); err != nil {
			return m, err
		}
	}
	if m.quality, err = c.quality(ctx, rt); err != nil {
		return m, err
	}
	if m.embedded = c.generator == ""; m.embedded {
		m.task, _, err = pocket.Open(ctx, rt) // closed with the runtime
		return m, err
	}
	g, err := generator.Open(ctx, rt, c.generator, c.options)
	if err != nil {
		return m, err
	}
	v, err := verifier.Open(ctx, rt, c.verifier, verifier.Options{Hub: c.options.Hub})
	m.task = dualprocess.Task{Runtime: rt, Generator: g, Verifier: v}
	m.label = c.generator + ", " + c.verifier
	if c.judge != "" {
		m.label += ", judged by " + c.judge
	}
	return m, err
}

// quality is Table 5 of the folders that were given; nil if none were.
func (c choice) quality(ctx context.Context, rt *backends.Runtime) (*study.Quality, error) {
	if c.real == "" && c.generated == "" {
		return nil, nil
	}
	if c.real == "" || c.generated == "" {
		return nil, fmt.Errorf("-real and -generated must be given together")
	}
	s := &study.Quality{Real: study.Folder(c.real)}
	for folder := range strings.SplitSeq(c.generated, ",") {
		s.Generated = append(s.Generated, study.NamedPictures{Row: filepath.Base(folder), Pictures: study.Folder(folder)})
	}
	var tower study.Features
	var err error
	if c.clip != "" {
		tower, err = clip.Open(ctx, rt, c.clip, clip.Options{}) // closed with the runtime
	} else {
		tower, err = pocketverifier.Open(ctx, rt, pocketverifier.Options{})
	}
	s.Distances = distance.Columns(tower)
	return s, err
}

// study makes that of a table.
func (m models) study(table float64, run *show.Run) (study.Study, error) {
	switch table {
	case 1:
		s := m.commonsense()
		run.Setup(&s.Setup)
		return s, nil
	case 2:
		s := m.latents()
		run.Setup(&s.Setup)
		return s, nil
	case 3:
		return m.discernment(run.Short())
	case 4:
		s := m.reliability()
		run.Setup(&s.Setup)
		return s, nil
	case 5:
		return m.distances(run)
	case 6:
		s := m.horizon()
		run.Setup(&s.Setup)
		s.Prompts = run.Prompts(s.Prompts...)
		return s, nil
	}
	return nil, fmt.Errorf("-table %g: there are 1 to 6", table)
}

func (m models) setup() study.Setup { return study.Setup{Task: m.task, Label: m.label} }

func (m models) commonsense() *study.Commonsense {
	s := pocket.Commonsense(m.task)
	if !m.embedded {
		s = &study.Commonsense{Setup: m.setup(), Rules: s.Rules}
		if v, ok := m.task.Verifier.(questions.Generator); ok {
			s.Writer = questions.Model{Chat: questions.Local{Model: v}} // of what the rules do not have
		}
	}
	if m.judge != nil {
		s.Judge, s.Ask = m.judge, nil
	}
	if m.rules != nil {
		s.Rules = m.rules
	}
	return s
}

func (m models) reliability() *study.Reliability {
	if m.embedded {
		s := pocket.Reliability(m.task)
		s.Commonsense = *m.commonsense()
		return s
	}
	return &study.Reliability{Commonsense: *m.commonsense()}
}

func (m models) distances(run *show.Run) (study.Study, error) {
	s := m.quality
	if s == nil && m.embedded {
		var err error
		if s, err = pocket.Quality(m.task); err != nil {
			return nil, err
		}
		s.Of = m.commonsense()
		run.Setup(&s.Of.Setup)
	}
	if s == nil {
		return nil, fmt.Errorf("-table 5: give the folders of pictures by -real and -generated")
	}
	s.Short = run.Short()
	return s, nil
}

func (m models) latents() *study.Latents {
	if m.embedded {
		return pocket.Latents(m.task, 0.35)
	}
	return &study.Latents{
		Setup:  m.setup(),
		Prompt: "a photo of a wheat field", Unseen: []string{"a photo of the sea", "a photo of a snowy plain"},
		Question: study.OnLine(0.3),
	}
}

func (m models) horizon() *study.Horizon {
	if m.embedded {
		return pocket.Horizon(m.task)
	}
	return &study.Horizon{Setup: m.setup(), Locate: study.LevelEdge}
}

func (m models) discernment(short bool) (study.Study, error) {
	name := "pocket"
	if !m.embedded {
		name = m.label
	}
	judge, ok := pocket.JudgeOf(m.task, name)
	if !ok {
		return nil, fmt.Errorf("-table 3: the verifier rates no single pictures")
	}
	s := pocket.Discernment(judge)
	if m.judge != nil {
		s.Judges = append(s.Judges, study.Judge{Name: "judge", Scorer: m.judge})
	}
	if m.labels != nil {
		s.Pictures = slices.Clone(m.labels)
	}
	s.Short = short
	return s, nil
}
