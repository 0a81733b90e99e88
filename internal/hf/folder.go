package hf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Reading says how a folder's files are to be read.
type Reading struct {
	Ignore  []string // fields of JSON files, at any depth, that are passed over
	Variant string   // of the files of weights, such as fp16; "" = whatever is there
	Int8    bool     // the weights of linear layers are rounded to int8 as they are read
}

// Folder is the folder of a model or of a pipeline. What this project reads of it is
// read so.
type Folder struct {
	fs.FS
	Reading
}

// reading is that of a Folder; other file systems have none.
func reading(fsys fs.FS) Reading {
	folder, _ := fsys.(Folder)
	return folder.Reading
}

// Ignored are the fields of JSON files that are passed over.
func Ignored(fsys fs.FS) []string { return reading(fsys).Ignore }

// Int8 says whether weights are to be rounded.
func Int8(fsys fs.FS) bool { return reading(fsys).Int8 }

// OpenFolder opens a folder of the operating system as NewFolder does.
func OpenFolder(name, main string, r Reading) (Folder, error) {
	if name == "" {
		return Folder{}, fmt.Errorf("the folder's name is empty: %w", fs.ErrInvalid)
	}
	info, err := os.Stat(name)
	if err != nil {
		return Folder{}, fmt.Errorf("%s: %w", main, err)
	}
	if !info.IsDir() && info.Name() == main {
		return Folder{}, fmt.Errorf("is a file: open the folder that it is in: %w", fs.ErrInvalid)
	}
	if !info.IsDir() {
		return Folder{}, fmt.Errorf("is a file, where a folder with a %s belongs%s: %w", main, Found([]string{info.Name()}), fs.ErrInvalid)
	}
	return NewFolder(os.DirFS(name), main, r)
}

// NewFolder returns the folder that holds the file main, by which its kind is known:
// fsys or, where that is the root of a model in the cache of huggingface_hub, its
// snapshot. The error wraps fs.ErrNotExist where there is none, and says what is there
// instead.
func NewFolder(fsys fs.FS, main string, r Reading) (Folder, error) {
	if _, err := fs.Stat(fsys, main); !errors.Is(err, fs.ErrNotExist) {
		return Folder{fsys, r}, r.check(fsys)
	}
	if info, err := fs.Stat(fsys, "snapshots"); err == nil && info.IsDir() {
		snapshot, err := openSnapshot(fsys)
		if err != nil {
			return Folder{}, err
		}
		return NewFolder(snapshot, main, r)
	}
	return Folder{}, fmt.Errorf("there is no %s%s: %w", main, Found(names(fsys, ".")), fs.ErrNotExist)
}

// openSnapshot opens the snapshot that refs/main names, else the only one.
func openSnapshot(fsys fs.FS) (fs.FS, error) {
	all := names(fsys, "snapshots")
	name := ""
	if ref, err := fs.ReadFile(fsys, "refs/main"); err == nil {
		name = strings.TrimSpace(string(ref))
	}
	switch {
	case slices.Contains(all, name):
	case len(all) == 1:
		name = all[0]
	case len(all) == 0:
		return nil, fmt.Errorf("is the cache of a model that has no snapshot: %w", fs.ErrNotExist)
	default:
		return nil, fmt.Errorf("is the cache of a model with several snapshots, of which refs/main names none: open one of %.200q in its snapshots: %w", all, fs.ErrNotExist)
	}
	return fs.Sub(fsys, path.Join("snapshots", name))
}

// names lists the files and folders of a folder; none where it cannot be listed.
func names(fsys fs.FS, dir string) []string {
	entries, _ := fs.ReadDir(fsys, dir) // what is listed serves errors, or is opened later
	list := make([]string, len(entries))
	for i, e := range entries {
		list[i] = e.Name()
	}
	return list
}

// variantName is what a variant may be called.
var variantName = regexp.MustCompile(`^[A-Za-z0-9_-]*$`)

// Check returns an error that names the field that makes no sense.
func (r Reading) Check() error {
	if !variantName.MatchString(r.Variant) {
		return fmt.Errorf("option Variant is %q, want a word such as fp16", r.Variant)
	}
	return nil
}

// check sees to it that some part of the folder has files of the variant. One that
// does not is read without, as diffusers does.
func (r Reading) check(fsys fs.FS) error {
	if r.Variant == "" {
		return nil
	}
	root := names(fsys, ".")
	for _, name := range root {
		for _, file := range append(names(fsys, name), name) {
			if strings.Contains(file, "."+r.Variant+".") {
				return nil
			}
		}
	}
	return fmt.Errorf("option Variant is %s, of which the folder has no file: %w", r.Variant, fs.ErrNotExist)
}

// without is a JSON text without the fields that are ignored.
func (r Reading) without(text []byte) []byte {
	if len(r.Ignore) == 0 {
		return text
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var value any
	if d.Decode(&value) != nil || d.More() {
		return text // whose fault Decode will name
	}
	r.strip(value)
	rest, err := json.Marshal(value)
	if err != nil {
		return text
	}
	return rest
}

// strip deletes the fields that are ignored from all objects.
func (r Reading) strip(value any) {
	switch value := value.(type) {
	case map[string]any:
		for _, name := range r.Ignore {
			delete(value, name)
		}
		for _, field := range value {
			r.strip(field)
		}
	case []any:
		for _, item := range value {
			r.strip(item)
		}
	}
}
