package hf

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// stems are the names that diffusers and transformers give their weights.
var stems = []string{"diffusion_pytorch_model", "model"}

// variantFile is a file of weights, or an index of shards, that is a variant's: as
// the libraries call them, and an index as diffusers once did.
var variantFile = regexp.MustCompile(`^(?:diffusion_pytorch_model|model)` +
	`(?:\.([\w-]+)\.safetensors|\.safetensors\.index\.([\w-]+)\.json|\.safetensors\.([\w-]+)\.index\.json)$`)

// shard is the end of the name of one file of several.
var shard = regexp.MustCompile(`-\d+-of-\d+$`)

// FindWeights returns the name of the checkpoint in a folder, a file of weights or the
// index of its shards: of the variant that is asked for, else without one, else of the
// only variant that is there.
func FindWeights(fsys fs.FS, dir string) (string, error) {
	folder, _ := fsys.(Folder)
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
		dir, stems[0], stems[1], Found(files), fs.ErrNotExist)
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
