package vlm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/arguments"
	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/tokenizer"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// Open is how a package opens its model. Its errors do not name the package.
type Open func(ctx context.Context, rt *backends.Runtime, fsys fs.FS, o Options) (*Verifier, error)

// FS opens a model in a file system. Errors begin with the package's name.
func (open Open) FS(ctx context.Context, rt *backends.Runtime, name string, fsys fs.FS, o Options) (*Verifier, error) {
	return open.folder(ctx, rt, name, o, func() (hf.Folder, error) {
		if err := arguments.Given("FS", fsys); err != nil {
			return hf.Folder{}, err
		}
		return hf.NewFolder(fsys, configFile, o.reading())
	})
}

// Folder opens a model in a folder of the operating system, which errors name, too.
func (open Open) Folder(ctx context.Context, rt *backends.Runtime, name, folder string, o Options) (*Verifier, error) {
	return open.folder(ctx, rt, name+": open "+folder, o, func() (hf.Folder, error) {
		return hf.OpenFolder(folder, configFile, o.reading())
	})
}

// configFile is what every folder of a model of transformers has.
const configFile = "config.json"

func (open Open) folder(ctx context.Context, rt *backends.Runtime, name string, o Options, folder func() (hf.Folder, error)) (*Verifier, error) {
	err := arguments.Call(ctx, rt)
	if err == nil {
		err = o.check()
	}
	var files hf.Folder
	if err == nil {
		files, err = folder()
	}
	var v *Verifier
	if err == nil {
		v, err = open(ctx, rt, files, o)
		err = weights.Explain(files, ".", err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return v, nil
}

// Opening says how the folder of a checkpoint becomes a verifier, once its
// configuration is read.
type Opening struct {
	Name  string // of the package, for errors
	Model Model
	Image int // the token that stands for a picture in the prompt, and for each of its vectors in Layout.Tokens

	// Tokens compares the tokenizer with the prompt and the configuration, and
	// returns the tokens that end a text where the folder does not say.
	Tokens func(t *tokenizer.Tokenizer) (ends []int, err error)

	// Load reads the parameters at the root of the checkpoint: the model's own, and
	// the language model's with its head.
	Load func(c weights.Cursor) *decoder.Decoder

	// Surplus accepts tensors that checkpoints carry without use.
	Surplus func(name string) bool
}

// Open reads the rest of the folder. The weights become frozen variables of the
// runtime's store; none of them stay there where it fails.
func (p Opening) Open(ctx context.Context, rt *backends.Runtime, fsys fs.FS, o Options) (*Verifier, error) {
	s := Setup{Name: p.Name, Model: p.Model, Image: p.Image}
	var err error
	if s.Tokenizer, err = tokenizer.Open(fsys, "."); err != nil {
		return nil, err
	}
	ends, err := p.Tokens(s.Tokenizer)
	if err != nil {
		return nil, err
	}
	if s.Ends, err = readEnds(fsys, ends); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m, err := rt.NewModel(p.Name, "/verifier")
	if err != nil {
		return nil, err
	}
	v, err := p.load(rt, m, fsys, s, o)
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return v, nil
}

// load reads the weights into the model's place in the runtime.
func (p Opening) load(rt *backends.Runtime, m *backends.Model, fsys fs.FS, s Setup, o Options) (*Verifier, error) {
	done, err := m.Use()
	if err != nil {
		return nil, err
	}
	defer done()
	err = weights.LoadTo(rt, fsys, ".", m.Root(), p.Surplus, func(c weights.Cursor) { s.Decoder = p.Load(c) })
	if err != nil {
		return nil, err
	}
	return newVerifier(rt, m, s, o)
}

// readEnds reads the tokens that end a text from the folder's
// generation_config.json; where it has none, fallback counts.
func readEnds(fsys fs.FS, fallback []int) ([]int, error) {
	const name = "generation_config.json"
	var fields map[string]json.RawMessage
	if err := hf.ReadConfig(fsys, name, &fields); errors.Is(err, fs.ErrNotExist) {
		return fallback, nil
	} else if err != nil {
		return nil, err
	}
	raw := fields["eos_token_id"]
	if hf.Null(raw) {
		return fallback, nil
	}
	var one int
	if err := json.Unmarshal(raw, &one); err == nil {
		return []int{one}, nil
	}
	var several []int
	if err := json.Unmarshal(raw, &several); err != nil {
		return nil, fmt.Errorf("%s: %w: eos_token_id: %w", name, hf.ErrConfig, err)
	}
	return several, nil
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
