package lifesize

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"testing/fstest"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// Model says what checkpoint to make: that of a small one with other sizes.
type Model struct {
	// Folder has the configurations and the tokenizers of the small one; its weights are not read.
	Folder fs.FS
	// Changes are values of fields by "file field.of.field", such as "vae/config.json norm_num_groups".
	Changes map[string]any
	// DType of the weights: safetensors.F32 or BF16.
	DType safetensors.DType
	// Open opens the model, so that it may say what it lacks. What it opens is thrown away.
	Open func(ctx context.Context, rt *backends.Runtime, folder fs.FS) error
}

// Files returns the folder of the checkpoint.
func (m Model) Files(ctx context.Context) (fs.FS, error) {
	texts, dirs, err := m.texts()
	if err != nil {
		return nil, fmt.Errorf("lifesize: %w", err)
	}
	files := &folder{texts: texts, weights: map[string]*file{}}
	for _, dir := range dirs {
		files.add(path.Join(dir, stem(dir)+".safetensors"), nil, m.DType)
	}
	for range len(dirs) + 1 {
		err = m.open(ctx, files)
		lack := (*weights.Lack)(nil)
		if !errors.As(err, &lack) {
			break
		}
		files.add(lack.File, lack.Tensors, m.DType)
	}
	if err != nil {
		return nil, fmt.Errorf("lifesize: %w", err)
	}
	return files, nil
}

// open opens the model on a sketch, which needs no numbers.
func (m Model) open(ctx context.Context, files fs.FS) error {
	rt, err := backends.Sketch(ctx, backends.Options{Backend: "xla:cpu", Memory: 1 << 50})
	if err != nil {
		return err
	}
	return errors.Join(m.Open(ctx, rt, files), rt.Close())
}

// Opening is Model.Open by OpenFS of a model's package, with the options that suit the model.
func Opening[M, O any](open func(context.Context, *backends.Runtime, fs.FS, O) (M, error)) func(context.Context, *backends.Runtime, fs.FS) error {
	return func(ctx context.Context, rt *backends.Runtime, folder fs.FS) error {
		var o O
		_, err := open(ctx, rt, folder, o)
		return err
	}
}

// Below puts a file's name and the path of an object in it before the names of fields, for Changes.
func Below(object string, fields map[string]any) map[string]any {
	out := map[string]any{}
	for name, value := range fields {
		out[object+name] = value
	}
	return out
}

// Merged are all of several changes.
func Merged(all ...map[string]any) map[string]any {
	out := map[string]any{}
	for _, m := range all {
		maps.Copy(out, m)
	}
	return out
}

// stem is the name that weights have in a part's folder.
func stem(dir string) string {
	if dir == "." || strings.HasPrefix(dir, "text_encoder") {
		return "model"
	}
	return "diffusion_pytorch_model"
}

// texts returns all files but the weights, with the changes made, and the folders that have weights.
func (m Model) texts() (fstest.MapFS, []string, error) {
	texts, dirs := fstest.MapFS{}, map[string]bool{}
	err := fs.WalkDir(m.Folder, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil || entry.IsDir():
			return err
		case strings.HasSuffix(name, ".safetensors"):
			dirs[path.Dir(name)] = true
			return nil
		case strings.HasSuffix(name, ".safetensors.index.json"):
			return nil
		}
		data, err := fs.ReadFile(m.Folder, name)
		texts[name] = &fstest.MapFile{Data: data, Mode: 0o644}
		return err
	})
	for _, change := range slices.Sorted(maps.Keys(m.Changes)) {
		name, field, _ := strings.Cut(change, " ")
		if err == nil {
			err = set(texts, name, strings.Split(field, "."), m.Changes[change])
		}
	}
	return texts, slices.Sorted(maps.Keys(dirs)), err
}

// set changes a field of a JSON file.
func set(texts fstest.MapFS, name string, field []string, value any) error {
	file := texts[name]
	if file == nil {
		return fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	var object map[string]any
	if err := json.Unmarshal(file.Data, &object); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	inner := object
	for _, key := range field[:len(field)-1] {
		next, ok := inner[key].(map[string]any)
		if !ok {
			return fmt.Errorf("%s: %s is no object", name, key)
		}
		inner = next
	}
	inner[field[len(field)-1]] = value
	data, err := json.Marshal(object)
	texts[name] = &fstest.MapFile{Data: data, Mode: 0o644}
	return err
}
