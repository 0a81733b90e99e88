package weights

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// stems are the names that diffusers and transformers give their weights.
var stems = []string{"diffusion_pytorch_model", "model"}

// variantFile is a file of weights, or an index of shards, that is a variant's: as
// the libraries call them, and an index as diffusers once did.
var variantFile = regexp.MustCompile(`^(?:diffusion_pytorch_model|model)` +
	`(?:\.([\w-]+)\.safetensors|\.safetensors\.index\.([\w-]+)\.json|\.safetensors\.([\w-]+)\.index\.json)$`)

// shard is the end of the name of one file of several.
var shard = regexp.MustCompile(`-\d+-of-\d+$`)

// Explain adds to the error of a model that could not be opened for want of a file that
// its folder has no weights either, where that is so: a folder of another kind.
func Explain(fsys fs.FS, dir string, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, none := find(fsys, dir); none != nil && !strings.Contains(err.Error(), none.Error()) {
		return errors.Join(err, none)
	}
	return err
}

// find returns the name of the checkpoint in a folder: of the variant that is asked
// for, else without one, else of the only variant that is there.
func find(fsys fs.FS, dir string) (string, error) {
	folder, _ := fsys.(hf.Folder)
	variants := []string{""}
	if folder.Variant != "" {
		variants = []string{folder.Variant, ""}
	}
	for _, variant := range variants {
		if name, err := named(fsys, dir, variant); name != "" || err != nil {
			return name, err
		}
	}
	there, files := inFolder(fsys, dir)
	if len(there) == 1 {
		return named(fsys, dir, there[0])
	}
	if len(there) > 1 {
		return "", fmt.Errorf("folder %s has weights in the variants %q: choose one by the option Variant: %w", dir, there, fs.ErrNotExist)
	}
	return "", fmt.Errorf("folder %s has no %s.safetensors, no %s.safetensors and no index of shards%s: %w",
		dir, stems[0], stems[1], hf.Found(files), fs.ErrNotExist)
}

// named returns the checkpoint of a variant, "" if there is none.
func named(fsys fs.FS, dir, variant string) (string, error) {
	for _, stem := range stems {
		names := []string{stem + ".safetensors", stem + ".safetensors.index.json"}
		if variant != "" {
			names = []string{
				stem + "." + variant + ".safetensors", stem + ".safetensors.index." + variant + ".json",
				stem + ".safetensors." + variant + ".index.json",
			}
		}
		for _, name := range names {
			name = path.Join(dir, name)
			if _, err := fs.Stat(fsys, name); !errors.Is(err, fs.ErrNotExist) {
				return name, err
			}
		}
	}
	return "", nil
}

// inFolder lists the variants of a folder, and its files that can be something else.
func inFolder(fsys fs.FS, dir string) (variants, files []string) {
	entries, _ := fs.ReadDir(fsys, dir) // a folder that cannot be listed has none that we see
	for _, e := range entries {
		m := variantFile.FindStringSubmatch(e.Name())
		switch {
		case m != nil && !shard.MatchString(m[1]):
			variants = append(variants, m[1]+m[2]+m[3])
		case !strings.HasSuffix(e.Name(), ".json"): // what describes the part
			files = append(files, e.Name())
		}
	}
	slices.Sort(variants)
	return slices.Compact(variants), files
}
