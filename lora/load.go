package lora

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

// LoadOptions says how LoadWith reads a file. The zero value is right for most.
type LoadOptions struct {
	// Strict makes it an error if the file holds tensors of other networks, which
	// are else passed over and reported by Adapter.Skipped.
	Strict bool
	// Ignore names fields of PEFT's LoraConfig that are passed over, whatever they
	// say: for fields that newer versions write and this package does not know.
	Ignore []string
}

// Load reads an adapter file in any of the namings that the package's comment
// lists, in any float type; hub.Adapter brings it from a repository. What the file says about alpha and ours about weight is
// undone, so that the adapter of a saved file is the saved one. Where a file says
// nothing, alpha is the rank, as in diffusers; beside a file of PEFT,
// adapter_config.json is read.
//
// layers are those of the generator, which dualprocess.Layers lists: a tensor that
// fits none of them is an error that names it and wraps [ErrMismatch]. nil takes
// the file as it is, which only the namings of diffusers and PEFT allow. Tensors of
// a text encoder are passed over, and [Adapter.Skipped] tells which they were.
//
// The adapter remembers the prefix of the file's names. Files of other namings have
// none that a pipeline knows: the adapter then gets the one that the layers' names
// suggest, as in Config, which WithPrefix and SaveOptions can change. So does a
// U-Net's under the prefix of a transformer, where no pipeline would find it.
//
// Errors about a file wrap [ErrFormat], also one of more than MaxBytes; what is well
// known and not supported, such as DoRA, wraps [errors.ErrUnsupported] too.
func Load(file string, layers []Layer) (*Adapter, error) {
	return LoadWith(file, layers, LoadOptions{})
}

// LoadWith is Load with options.
func LoadWith(file string, layers []Layer, o LoadOptions) (*Adapter, error) {
	dir, base := filepath.Split(file)
	a, err := load(os.DirFS(filepath.Clean(dir)), base, layers, o)
	if err != nil {
		return nil, fmt.Errorf("lora: load %s: %w", file, err)
	}
	return a, nil
}

// reader is what the parts of one file have in common.
type reader struct {
	LoadOptions
	file   *safetensors.File
	fsys   fs.FS
	name   string       // in fsys
	own    *ownMetadata // nil in files from elsewhere
	layers []Layer      // nil if they are not known
	config *peftConfig  // nil where the file has none
}

func load(fsys fs.FS, name string, layers []Layer, o LoadOptions) (*Adapter, error) {
	f, err := safetensors.Open(fsys, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	own, err := parseOwn(f.Metadata())
	if err != nil {
		return nil, err
	}
	r := &reader{LoadOptions: o, file: f, fsys: fsys, name: name, own: own, layers: layers}
	infos, skipped, err := r.sift()
	if err != nil {
		return nil, err
	}
	if err := checkTensors(infos); err != nil {
		return nil, err
	}
	entries, err := collect(infos)
	if err != nil {
		return nil, err
	}
	a := &Adapter{weight: own.weight(), skipped: skipped}
	if a.prefix, a.parts, err = r.parts(entries); err != nil {
		return nil, err
	}
	sortParts(a.parts)
	a.prefix = mended(a.prefix, a.Layers())
	return a, nil
}

// parts reads all layers of the generator, and the prefix of their names if that is
// a pipeline's.
func (r *reader) parts(entries []*entry) (string, []part, error) {
	names := published(r.layers)
	known := true
	for _, e := range entries {
		_, ok := names[e.module]
		known = known && ok
	}
	if !known {
		if err := refuseForeign(entries, names); err != nil {
			return "", nil, err
		}
		return r.diffusers(entries)
	}
	var parts []part
	from := map[string]string{} // the module that a layer came from
	for _, e := range entries {
		split, err := r.split(e, names[e.module])
		if err != nil {
			return "", nil, fmt.Errorf("tensor %q: %w", e.a.Name, err)
		}
		for _, p := range split {
			if other, ok := from[p.Name]; ok {
				return "", nil, fmt.Errorf("tensor %q: %w: says the same as %q", e.a.Name, ErrFormat, other)
			}
			from[p.Name] = e.module
		}
		parts = append(parts, split...)
	}
	return r.own.prefix(), parts, nil
}

// sift parts the tensors of the generator from the names of those that are another
// network's.
func (r *reader) sift() (mine []safetensors.Info, others []string, err error) {
	for _, info := range r.file.Tensors() {
		if isOther(info.Name) && !(r.own != nil && strings.HasPrefix(info.Name, r.own.Prefix+".")) {
			others = append(others, info.Name)
		} else {
			mine = append(mine, info)
		}
	}
	switch {
	case len(others) == 0:
	case len(mine) == 0:
		err = fmt.Errorf("%w: it adapts only another network: %d tensors such as %q", ErrMismatch, len(others), others[0])
	case r.Strict:
		err = fmt.Errorf("%w: it also adapts another network: %d tensors such as %q", ErrMismatch, len(others), others[0])
	}
	return mine, others, err
}
