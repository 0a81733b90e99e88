package vlm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/tokenizer"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// Opening says how the folder of a checkpoint becomes a verifier, once its
// configuration is read.
type Opening struct {
	Name  string // of the package, for errors
	Model Model
	Image int // the token that marks a picture in the prompt, and that its vectors take the places of

	// Tokens compares the tokenizer with the prompt and the configuration, and
	// returns the tokens that end a text where the folder does not say.
	Tokens func(t *tokenizer.Tokenizer) (ends []int, err error)

	// Load reads the parameters at the root of the checkpoint: the model's own, and
	// the language model's with its head.
	Load func(c weights.Cursor) *decoder.Decoder

	// Splits says that the model can look at pictures in parts: Options.Split.
	Splits bool

	// Surplus accepts tensors that checkpoints carry without use.
	Surplus func(name string) bool
}

// Open reads the rest of the folder. The weights become frozen variables of the
// runtime's store; none of them stay there where it fails.
func (p Opening) Open(ctx context.Context, rt *backends.Runtime, fsys fs.FS, o Options) (*Verifier, error) {
	if o.Split && (!p.Splits || o.Paper) {
		return nil, fmt.Errorf("%w: Options.Split is for Idefics2 as its makers use it", hf.ErrConfig)
	}
	s := Setup{Name: p.Name, Model: p.Model, Image: p.Image}
	var err error
	if s.Tokenizer, err = tokenizer.Open(fsys, "."); err != nil {
		return nil, err
	}
	ends, err := p.Tokens(s.Tokenizer)
	if err != nil {
		return nil, err
	}
	if s.Ends, err = ReadEnds(fsys, ends...); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	root := weights.Root(rt.Store, "/verifier")
	err = weights.LoadTo(rt.Backend, fsys, ".", rt.Store, root, p.Surplus, func(c weights.Cursor) { s.Decoder = p.Load(c) })
	var v *Verifier
	if err == nil {
		v, err = New(rt, s, o)
	}
	if err != nil {
		return nil, errors.Join(err, rt.Store.DeleteVariablesInScope(root))
	}
	return v, nil
}

// OpenFS opens the model of a package in a file system.
type OpenFS func(ctx context.Context, rt *backends.Runtime, fsys fs.FS, o Options) (*Verifier, error)

// OpenFolder opens the model of a package in a folder of the operating system.
// Errors begin with both names.
func OpenFolder(ctx context.Context, rt *backends.Runtime, name, folder string, o Options, open OpenFS) (*Verifier, error) {
	v, err := open(ctx, rt, os.DirFS(folder), o)
	if err != nil {
		return nil, fmt.Errorf("%s: open %s: %w", name, folder, err)
	}
	return v, nil
}

// FindTokens returns the ids of tokens by their names. The error wraps
// hf.ErrConfig and names the first that the tokenizer does not have: as text,
// what should control a prompt would only make it worse.
func FindTokens(t *tokenizer.Tokenizer, names ...string) ([]int, error) {
	ids := make([]int, len(names))
	for i, name := range names {
		id, ok := t.ID(name)
		if !ok {
			return nil, fmt.Errorf("%w: the tokenizer has no token %s", hf.ErrConfig, name)
		}
		ids[i] = id
	}
	return ids, nil
}

// CheckToken compares the id that a field of config.json gives a token with the
// tokenizer's. The error wraps hf.ErrConfig.
func CheckToken(t *tokenizer.Tokenizer, field string, id int, name string) error {
	found, err := FindTokens(t, name)
	if err != nil {
		return fmt.Errorf("config.json: %s: %w", field, err)
	}
	if found[0] != id {
		return fmt.Errorf("config.json: %w: %s is %d, the tokenizer's %s is %d", hf.ErrConfig, field, id, name, found[0])
	}
	return nil
}
