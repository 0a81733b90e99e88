package study

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/files"
	"github.com/dualprocess/dualprocess-go/lora"
)

// Bench is where the cells of a study are made. It keeps between them what is costly:
// the generator's programs, and adapters in files.
type Bench struct {
	folder, study string
	tell          func(Progress)
	began         time.Time
	cell          Cell
	done, total   int

	sampler *dualprocess.Sampler
	of      samplerOf
}

// samplerOf says what the bench's sampler was made for.
type samplerOf struct {
	generator dualprocess.Generator
	batch     int
}

// Folder is that of the study.
func (b *Bench) Folder() string { return b.folder }

// at says which cell comes next.
func (b *Bench) at(c Cell, done, total int) { b.cell, b.done, b.total = c, done, total }

// as is the bench as another study of the folder has it, whose adapters it takes.
func (b *Bench) as(study string) *Bench {
	other := *b
	other.study = study
	other.sampler = nil
	return &other
}

// report tells what is being done.
func (b *Bench) report(doing string, step, steps int) {
	if b.tell != nil {
		b.tell(Progress{b.cell, b.done, b.total, doing, step, steps, time.Since(b.began)})
	}
}

func (b *Bench) close() {
	if b.sampler != nil {
		b.sampler.Close()
		b.sampler = nil
	}
}

// adapters is the folder of the adapters of all studies of a folder.
const adapters = "adapters"

// Train returns the adapter of a task. It has a name among the study's adapters: cells
// that ask for the same name share one, and one that a file has is not trained again. A
// training that was interrupted goes on.
func (b *Bench) Train(ctx context.Context, name string, t dualprocess.Task) (*lora.Adapter, error) {
	layers, err := dualprocess.Layers(t.Runtime, t.Generator)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(b.folder, adapters, b.study, files.Slug(name)+".safetensors")
	if _, err := os.Stat(file); err == nil {
		return lora.Load(file, layers)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	training := strings.TrimSuffix(file, ".safetensors") + ".training"
	if err := os.MkdirAll(training, 0o777); err != nil {
		return nil, err
	}
	t.Checkpoint.Folder = training
	t.Progress, t.Status = b.updates, b.status
	adapter, err := dualprocess.Distill(ctx, t)
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	if err := adapter.Save(file, lora.SaveOptions{}); err != nil {
		return nil, err
	}
	if err := os.RemoveAll(training); err != nil {
		return nil, err
	}
	return lora.Load(file, layers) // what another process would read
}

// updates and status are what trainings tell.
func (b *Bench) updates(u dualprocess.Update) { b.report("training", u.Number, u.Total) }

func (b *Bench) status(s dualprocess.Status) {
	if s.Program != "" {
		b.report(string(s.Phase)+" "+s.Program, 0, 0)
	}
}

// Pictures makes pictures of a prompt, one per seed, in batches of the task's size. A
// nil adapter is the base model.
func (b *Bench) Pictures(ctx context.Context, t dualprocess.Task, prompt string, seeds []int64, a *lora.Adapter) ([]image.Image, error) {
	b.report("pictures", 0, len(seeds))
	s, err := b.samplerFor(t, len(seeds))
	if err != nil {
		return nil, err
	}
	return s.Sample(ctx, dualprocess.Request{Prompt: prompt, Seeds: seeds, Adapter: a})
}

// samplerFor keeps one sampler, that of the last generator and batch.
func (b *Bench) samplerFor(t dualprocess.Task, pictures int) (*dualprocess.Sampler, error) {
	of := samplerOf{t.Generator, max(1, min(t.Batch, pictures))}
	if b.sampler != nil && b.of == of {
		return b.sampler, nil
	}
	b.close()
	s, err := dualprocess.NewSampler(t.Runtime, t.Generator, dualprocess.SamplerOptions{Batch: of.batch, Separate: true})
	b.sampler, b.of = s, of
	return s, err
}

// Keep writes a picture of the cell at hand under a name that is the picture's alone in
// it, and returns its file as samples have it.
func (b *Bench) Keep(img image.Image, name string) (string, error) {
	file := path.Join("pictures", b.study, fmt.Sprintf("%04d-%s.png", b.done, files.Slug(name)))
	full := filepath.Join(b.folder, filepath.FromSlash(file))
	if err := os.MkdirAll(filepath.Dir(full), 0o777); err != nil {
		return "", err
	}
	return file, files.Write(full, func(w io.Writer) error { return png.Encode(w, img) })
}

// once returns what was found under a name before, by this process or another of the
// same study, and else makes it and keeps it in a file. It is for what may come out
// otherwise the next time, such as the words of a model.
func once[T any](b *Bench, name string, find func() (T, error)) (value T, err error) {
	file := filepath.Join(b.folder, "written", b.study, files.Slug(name)+".json")
	if data, err := os.ReadFile(file); err == nil {
		return value, json.Unmarshal(data, &value)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return value, err
	}
	if value, err = find(); err != nil {
		return value, err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return value, err
	}
	return value, files.Write(file, func(w io.Writer) error { return json.NewEncoder(w).Encode(value) })
}
