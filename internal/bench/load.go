package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dualprocess/dualprocess-go/internal/lifesize"
	"github.com/dualprocess/dualprocess-go/internal/lifesize/published"
	"github.com/dualprocess/dualprocess-go/internal/pipeline"
)

// stored is a checkpoint that is opened.
type stored struct {
	name, title string
	write       func(ctx context.Context, folder string) error
}

// loaded is what was found of a checkpoint. Seconds are those of rounds.
type loaded struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	Error string `json:"error,omitempty"`
	Bytes int64  `json:"bytes"` // of all files

	Read   []float64 `json:"read_seconds"`        // all files, from the page cache
	Open   []float64 `json:"open_seconds"`        // the model, likewise, by a process
	Beside []float64 `json:"second_open_seconds"` // by a second one, while the first has it open
	Ratio  float64   `json:"ratio"`               // of reading over opening: 1 is as fast
	First  memory    `json:"memory"`              // of the processes, in the last round
	Second memory    `json:"second_memory"`
	Peak   int64     `json:"peak_bytes,omitempty"` // of the first
}

// toLoad lists the checkpoints: published ones, or those of the models at the sizes of their plans.
func (b *bench) toLoad(subjects []subject) (all []stored, err error) {
	if b.Published == "" {
		for _, s := range subjects {
			all = append(all, stored{s.Name, s.Title, func(ctx context.Context, folder string) error { return b.write(ctx, s, folder) }})
		}
		return all, nil
	}
	for name := range strings.SplitSeq(b.Published, ",") {
		name = strings.TrimSpace(name)
		model, err := published.Model(name, os.DirFS(filepath.Join(b.root, filepath.FromSlash(fixtures))))
		if err != nil {
			return nil, fmt.Errorf("-published: %w", err)
		}
		all = append(all, stored{name, name, func(ctx context.Context, folder string) error {
			files, err := model.Files(ctx)
			if err != nil {
				return err
			}
			return lifesize.Write(ctx, files, folder)
		}})
	}
	return all, nil
}

// folder is where a checkpoint lies.
func (b *bench) folder(c stored) (string, error) {
	return filepath.Abs(filepath.Join(b.work, "load", b.DType, c.name, "checkpoint"))
}

// load opens all checkpoints, and writes what was found.
func (b *bench) load(ctx context.Context, subjects []subject) error {
	checkpoints, err := b.toLoad(subjects)
	if err != nil {
		return err
	}
	r := &report{Settings: b.settings, Machine: machine(), Date: time.Now().UTC().Format(time.DateOnly)}
	var wrong []string
	for _, c := range checkpoints {
		l := &loaded{Name: c.name, Title: c.title}
		if err := b.open(ctx, c, l); err != nil {
			l.Error = err.Error()
			wrong = append(wrong, l.Name)
			b.say("%s: %s", l.Name, l.Error)
		}
		r.Loads = append(r.Loads, l)
		if err := r.write(b.out); err != nil {
			return err
		}
		if ctx.Err() != nil {
			break
		}
	}
	fmt.Print(r.loadTable())
	if ctx.Err() != nil {
		return errStopped
	}
	if len(wrong) > 0 {
		return fmt.Errorf("nothing is known of %s: see above", strings.Join(wrong, ", "))
	}
	return nil
}

// open measures one checkpoint: in every round all files are read, and two processes open the model, of which the second
// begins when the first has ended to.
func (b *bench) open(ctx context.Context, c stored, l *loaded) error {
	checkpoint, err := b.folder(c)
	if err != nil {
		return err
	}
	b.say("%s: writing the checkpoint", c.name)
	if err := c.write(ctx, checkpoint); err != nil {
		return err
	}
	o := order{Kind: loadings, DType: b.DType, Threads: b.Threads, Backend: b.Backend, Checkpoint: checkpoint}
	if _, err := os.Stat(filepath.Join(checkpoint, pipeline.Index)); errors.Is(err, fs.ErrNotExist) {
		o.Checkpoint, o.Verifier = "", checkpoint
	}
	file, err := o.place(filepath.Dir(checkpoint))
	if err != nil {
		return err
	}
	if l.Bytes, err = read(ctx, checkpoint); err != nil { // into the page cache
		return err
	}
	for round := range b.Rounds {
		began := time.Now()
		if _, err := read(ctx, checkpoint); err != nil {
			return err
		}
		l.Read = append(l.Read, time.Since(began).Seconds())
		if err := b.openTwice(ctx, file, l); err != nil {
			return err
		}
		b.say("  round %d of %d: read in %.2f s, opened in %.2f s, once more in %.2f s", round+1, b.Rounds, l.Read[round], l.Open[round],
			l.Beside[round])
	}
	l.Ratio = median(l.Read) / median(l.Open)
	return nil
}

// openTwice has two processes open a model, one after the other, and both have it open at last.
func (b *bench) openTwice(ctx context.Context, file string, l *loaded) error {
	for _, second := range []bool{false, true} {
		p, err := start(ctx, b.launch[0].command(file), b.launch[0].environment(file), b.Limit)
		if err != nil {
			return err
		}
		defer p.end()
		r, err := p.ask(ctx, 1, b.Limit)
		if err != nil {
			return err
		}
		switch {
		case r.Memory == nil:
			return errors.New("our side does not tell its memory")
		case second:
			l.Beside, l.Second = append(l.Beside, r.Seconds[0]), *r.Memory
		default:
			l.Open, l.First, l.Peak = append(l.Open, r.Seconds[0]), *r.Memory, r.Peak
		}
	}
	return nil
}

// read reads all files of a folder, as cat does into nothing, and returns how many bytes there are.
func read(ctx context.Context, folder string) (bytes int64, err error) {
	buffer := make([]byte, 1<<20)
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // it is only read
		for ctx.Err() == nil {
			n, err := f.Read(buffer)
			bytes += int64(n)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
		}
		return ctx.Err()
	})
	return bytes, err
}
