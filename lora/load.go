package lora

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

// Load reads an adapter file: those of Save, of diffusers (old key names
// included) and of PEFT, in any float type. What the file says about alpha and
// ours about weight is undone, so that the adapter of a saved file is the saved
// one. Where a file says nothing, alpha is the rank, as in diffusers; beside a
// file of PEFT, adapter_config.json is read.
//
// layers are those of the generator, from dualprocess.Layers: a tensor that
// fits none of them is an error that names it and wraps [ErrMismatch]. nil takes
// the file as it is. A file in kohya's naming can be read with the generator's
// published names, fused.
//
// The adapter remembers the prefix of the file's names. Files of PEFT and of kohya
// have none that a pipeline knows: the adapter then gets the one that the layers'
// names suggest, as in Config, which WithPrefix and SaveOptions can change.
//
// Errors about a file wrap [ErrFormat], also one of more than MaxBytes.
func Load(file string, layers []Layer, fused ...Fused) (*Adapter, error) {
	dir, base := filepath.Split(file)
	a, err := load(os.DirFS(filepath.Clean(dir)), base, layers, fused...)
	if err != nil {
		return nil, fmt.Errorf("lora: load %s: %w", file, err)
	}
	return a, nil
}

func load(fsys fs.FS, name string, layers []Layer, fused ...Fused) (*Adapter, error) {
	f, err := safetensors.Open(fsys, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	own, err := parseOwn(f.Metadata())
	if err != nil {
		return nil, err
	}
	if err := checkTensors(f.Tensors()); err != nil {
		return nil, err
	}
	a := &Adapter{weight: own.weight()}
	if isKohya(f.Tensors()) {
		a.prefix = own.prefix()
		if a.parts, err = loadKohya(f, own, fused); err == nil && layers != nil {
			err = fit(a.parts, layers)
		}
	} else {
		a.prefix, a.parts, err = loadPEFT(f, own, fsys, name, layers)
	}
	if err != nil {
		return nil, err
	}
	sortParts(a.parts)
	a.prefix = prefixOr(a.prefix, a.Layers())
	return a, nil
}

// loadPEFT reads a file in the naming of diffusers or PEFT: its parts, and its
// prefix if that is the one of a pipeline.
func loadPEFT(f *safetensors.File, own *ownMetadata, fsys fs.FS, name string, layers []Layer) (string, []part, error) {
	entries, err := collect(f.Tensors())
	if err != nil {
		return "", nil, err
	}
	prefix, err := commonPrefix(entries, own, layers)
	if err != nil {
		return "", nil, err
	}
	config, err := findConfig(f.Metadata(), prefix, fsys, name)
	if err != nil {
		return "", nil, err
	}
	r := reader{f, prefix, config, own}
	known := byName(layers)
	var parts []part
	for _, e := range entries {
		p, err := r.read(e)
		if err == nil && layers != nil {
			err = p.fits(known)
		}
		if err != nil {
			return "", nil, fmt.Errorf("tensor %q: %w", e.a.Name, err)
		}
		parts = append(parts, p)
	}
	if prefix == peftPrefix+"." {
		prefix = ""
	}
	return prefix, parts, nil
}

// reader is what the parts of one file have in common.
type reader struct {
	file   *safetensors.File
	prefix string
	config *peftConfig  // nil where the file has none
	own    *ownMetadata // nil in files from elsewhere
}

// entry is what a file holds about one module.
type entry struct {
	module string // name with the file's prefix
	a, b   *safetensors.Info
	alpha  *safetensors.Info // rare: a scalar of the module's own
}

// endings are the ways to name an adapter's tensors; for kohya's, which also spell
// the module differently, see [Fused].
var endings = []struct {
	suffix string
	field  func(e *entry) **safetensors.Info
}{
	{".lora_A.weight", func(e *entry) **safetensors.Info { return &e.a }},    // PEFT, diffusers
	{".lora_B.weight", func(e *entry) **safetensors.Info { return &e.b }},    //
	{".lora.down.weight", func(e *entry) **safetensors.Info { return &e.a }}, // diffusers before PEFT
	{".lora.up.weight", func(e *entry) **safetensors.Info { return &e.b }},   //
	{".alpha", func(e *entry) **safetensors.Info { return &e.alpha }},
}

// collect sorts a file's tensors by module.
func collect(infos []safetensors.Info) ([]*entry, error) {
	modules := map[string]*entry{}
	var list []*entry
	for _, info := range infos {
		found := false
		for _, ending := range endings {
			module, ok := strings.CutSuffix(info.Name, ending.suffix)
			if !ok || module == "" {
				continue
			}
			e := modules[module]
			if e == nil {
				e = &entry{module: module}
				modules[module], list = e, append(list, e)
			}
			field := ending.field(e)
			if *field != nil {
				return nil, fmt.Errorf("tensor %q: %w: says the same as %q", info.Name, ErrFormat, (*field).Name)
			}
			*field, found = &info, true
			break
		}
		if !found {
			return nil, fmt.Errorf("tensor %q: %w: not the name of an adapter's tensor", info.Name, ErrFormat)
		}
	}
	for _, e := range list {
		if e.a == nil || e.b == nil {
			return nil, fmt.Errorf("module %q: %w: has not both A and B", e.module, ErrFormat)
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: no tensors", ErrFormat)
	}
	return list, nil
}

// commonPrefix returns what stands before the layers' names in the file, with
// its dot: what Save noted, or one that is known, or nothing. All tensors must
// have the same; if the layers are known, they decide which it is.
func commonPrefix(entries []*entry, own *ownMetadata, layers []Layer) (string, error) {
	candidates := []string{peftPrefix + ".", DefaultPrefix + ".", unetPrefix + ".", ""}
	if own != nil {
		candidates = []string{own.Prefix + "."}
	}
	var shared []string
	for _, prefix := range candidates {
		if !slices.ContainsFunc(entries, func(e *entry) bool { return !strings.HasPrefix(e.module, prefix) || e.module == prefix }) {
			shared = append(shared, prefix)
		}
	}
	if len(shared) == 0 {
		return "", fmt.Errorf("%w: not all names begin with %q", ErrFormat, candidates[0])
	}
	known := byName(layers)
	for _, prefix := range shared {
		if !slices.ContainsFunc(entries, func(e *entry) bool { _, ok := known[e.module[len(prefix):]]; return !ok }) {
			return prefix, nil
		}
	}
	return shared[0], nil
}

// findConfig returns PEFT's settings from the header or, for its own files, from
// the file beside; nil if there are none.
func findConfig(header map[string]string, prefix string, fsys fs.FS, name string) (*peftConfig, error) {
	config, err := parsePEFT(header, prefix)
	if config != nil || err != nil || prefix != peftPrefix+"." {
		return config, err
	}
	f, err := fsys.Open(path.Join(path.Dir(name), "adapter_config.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	const limit = 1 << 20 // bytes; real ones have two thousand
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && len(text) > limit {
		err = fmt.Errorf("%w: more than %d bytes", ErrFormat, limit)
	}
	if err != nil {
		return nil, fmt.Errorf("adapter_config.json: %w", err)
	}
	if config, err = parseConfig(text); err != nil {
		return nil, fmt.Errorf("adapter_config.json: %w", err)
	}
	return config, nil
}

// read returns the adapter of one module.
func (r reader) read(e *entry) (part, error) {
	p, err := shapeOf(e)
	if err != nil {
		return p, err
	}
	p.Name = strings.TrimPrefix(e.module, r.prefix)
	if p.a, err = r.file.Float32s(e.a.Name); err != nil {
		return p, err
	}
	if err := checkFinite(p.a); err != nil {
		return p, err
	}
	if p.b, err = r.file.Float32s(e.b.Name); err != nil {
		return p, err
	}
	if err := checkFinite(p.b); err != nil {
		return p, fmt.Errorf("its partner %q: %w", e.b.Name, err)
	}
	p.alpha, err = r.alpha(e, p)
	return p, err
}

// shapeOf returns a part without numbers.
func shapeOf(e *entry) (part, error) {
	a, b := e.a.Shape, e.b.Shape
	p := part{Layer: Layer{Name: e.module}}
	switch {
	case len(a) == 2 && len(b) == 2:
	case len(a) == 4 && len(b) == 4 && b[2] == 1 && b[3] == 1:
		p.Kernel = [2]int{a[2], a[3]}
	default:
		return p, fmt.Errorf("%w: shapes %v and %v", ErrFormat, a, b)
	}
	p.rank, p.In, p.Out = a[0], a[1], b[0]
	if err := p.check(); err != nil || p.rank < 1 || b[1] != p.rank {
		return p, fmt.Errorf("%w: shapes %v and %v", ErrFormat, a, b)
	}
	return p, nil
}

// alpha returns a part's alpha: at weight 1, where the file has it at the weight
// that its scale 1 stands for.
func (r reader) alpha(e *entry, p part) (float64, error) {
	alpha := float64(p.rank)
	switch {
	case e.alpha != nil:
		values, err := r.file.Float32s(e.alpha.Name)
		if err != nil {
			return 0, err
		}
		if len(values) != 1 {
			return 0, fmt.Errorf("%w: %q is no single number", ErrFormat, e.alpha.Name)
		}
		alpha = float64(values[0])
	case r.config != nil:
		var err error
		if alpha, err = r.config.alpha(p.Name, p.rank); err != nil {
			return 0, err
		}
	}
	if r.own != nil {
		alpha = r.own.alpha(p.Name, alpha, 1e-12)
	}
	return alpha, checkAlpha(alpha)
}

// checkAlpha returns an error for an alpha that is not finite in float32, as a
// graph will use it.
func checkAlpha(alpha float64) error {
	if !(math.Abs(alpha) <= math.MaxFloat32) {
		return fmt.Errorf("alpha %v: %w", alpha, ErrNotFinite)
	}
	return nil
}
