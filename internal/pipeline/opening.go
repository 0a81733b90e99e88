// Package pipeline is the frame of the generators that load folders in diffusers'
// layout: the opening of a folder (Open, Opening), its index (CheckIndex) and the
// options that models have in common (Options), text encoders that are let go and
// come back (Encoder), noise levels (Flow, FlowMatchEuler) and classifier-free
// guidance (Guided). What is left to a model is its configuration, its network, and
// what it does otherwise.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/arguments"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// Opening is the folder of a pipeline while a model's own code makes a generator of
// it.
type Opening struct {
	Runtime *backends.Runtime
	Model   *backends.Model // the generator's place in the runtime
	Files   hf.Folder

	name string // of the model's package, for errors
}

// Open makes a generator of a folder of the operating system, by a model's own code.
// Where that fails, nothing stays in the runtime's store, the generator is nil, and
// the error begins with the names of the package and of the folder.
func Open[G, O any](ctx context.Context, rt *backends.Runtime, name, folder string, r hf.Reading, o O, open func(context.Context, *Opening, O) (*G, error)) (*G, error) {
	g, err := opened(ctx, &Opening{Runtime: rt, name: name}, r, func() (hf.Folder, error) { return hf.OpenFolder(folder, Index, r) }, o, open)
	if err != nil {
		return nil, fmt.Errorf("%s: open %s: %w", name, folder, err)
	}
	return g, nil
}

// OpenFS is Open for any file system.
func OpenFS[G, O any](ctx context.Context, rt *backends.Runtime, name string, fsys fs.FS, r hf.Reading, o O, open func(context.Context, *Opening, O) (*G, error)) (*G, error) {
	if err := arguments.Given("FS", fsys); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	g, err := opened(ctx, &Opening{Runtime: rt, name: name}, r, func() (hf.Folder, error) { return hf.NewFolder(fsys, Index, r) }, o, open)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return g, nil
}

func opened[G, O any](ctx context.Context, p *Opening, r hf.Reading, folder func() (hf.Folder, error), o O, open func(context.Context, *Opening, O) (*G, error)) (*G, error) {
	if err := arguments.Call(ctx, p.Runtime); err != nil {
		return nil, err
	}
	if err := r.Check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	var err error
	if p.Files, err = folder(); err != nil {
		return nil, err
	}
	if p.Model, err = p.Runtime.NewModel(p.name, "/generator"); err != nil {
		return nil, err
	}
	done, err := p.Model.Use() // the runtime, too
	if err != nil {
		return nil, err
	}
	g, err := open(ctx, p, o)
	done()
	if err != nil {
		return nil, errors.Join(err, p.Model.Close())
	}
	p.Model.OnClose(func() { graphs.Forget(p.Runtime, g) })
	return g, nil
}

// Weights are those of one part of a pipeline.
type Weights struct {
	Folder  string                 // of the part
	Surplus func(name string) bool // accepts tensors that checkpoints carry without use; nil = none
	Read    func(c weights.Cursor) // asks for the parameters
	Exact   bool                   // stays as in the files under Int8: what makes pixels
}

// Load reads the weights of some parts. They become frozen variables of the
// runtime's store, in the precision of the files.
func (p *Opening) Load(ctx context.Context, parts ...Weights) error {
	for _, part := range parts {
		if err := ctx.Err(); err != nil {
			return err
		}
		files := p.Files
		files.Int8 = files.Int8 && !part.Exact
		if err := weights.LoadTo(p.Runtime, files, part.Folder, p.Model.Root()+"/"+part.Folder, part.Surplus, part.Read); err != nil {
			return err
		}
	}
	return nil
}

// free lets go of the weights of some parts.
func (p *Opening) free(parts ...Weights) error {
	var errs []error
	for _, part := range parts {
		errs = append(errs, p.Model.Drop(part.Folder))
	}
	return errors.Join(errs...)
}
