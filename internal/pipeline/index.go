package pipeline

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/quote"
)

// Index is the file that says what the parts of a pipeline are.
const Index = "model_index.json"

// Part is a part of a pipeline: a folder of files.
type Part struct {
	Classes  []string // that are supported
	Optional bool
}

// CheckIndex reads the index and compares the classes of its parts. Parts
// that are null are absent. Errors name the file and the part and wrap
// hf.ErrConfig.
func CheckIndex(fsys fs.FS, parts map[string]Part) error {
	const file = Index
	var fields map[string]json.RawMessage
	if err := hf.ReadConfig(fsys, file, &fields); err != nil {
		return err
	}
	seen := map[string]bool{}
	for name, value := range fields {
		var part []*string // library and class
		if err := json.Unmarshal(value, &part); err != nil {
			continue // a setting of the pipeline, not a part of it
		}
		known, ok := parts[name]
		absent := len(part) == 2 && part[0] == nil && part[1] == nil
		switch {
		case absent && (!ok || known.Optional):
		case len(part) == 2 && part[1] != nil && slices.Contains(known.Classes, *part[1]):
			seen[name] = true
		default:
			return fmt.Errorf("%s: %w: %s is %s; %s", file, hf.ErrConfig, name, describe(part), known)
		}
	}
	for name, part := range parts {
		if !part.Optional && !seen[name] {
			return fmt.Errorf("%s: %w: has no %s", file, hf.ErrConfig, name)
		}
	}
	return nil
}

// Setting reads a setting of the pipeline in its index, or returns the standard one
// where the index has none. Errors name the file and the setting and wrap hf.ErrConfig.
func Setting[T any](fsys fs.FS, name string, standard T) (T, error) {
	var fields map[string]json.RawMessage
	if err := hf.ReadConfig(fsys, Index, &fields); err != nil || hf.Null(fields[name]) {
		return standard, err
	}
	var value T
	if err := json.Unmarshal(fields[name], &value); err != nil {
		return standard, hf.Within(Index, hf.Errorf("%s: %w", name, err))
	}
	return value, nil
}

// describe names a part as the index has it: a class of a library.
func describe(part []*string) string {
	if len(part) != 2 {
		return "no pair of a library and a class"
	}
	if part[1] == nil {
		return "null"
	}
	class := quote.Short(*part[1])
	if part[0] != nil {
		class += " of " + quote.Short(*part[0])
	}
	return class
}

// String says what is supported.
func (p Part) String() string {
	if len(p.Classes) == 0 {
		return "this pipeline has no such part"
	}
	return "supported: " + strings.Join(p.Classes, ", ")
}

// ReadConfig reads a JSON file of a folder into config, a pointer to a struct with
// what diffusers fills in, and checks it. Errors name the file.
func ReadConfig(fsys fs.FS, file string, config any, check func() error) error {
	if err := hf.ReadConfig(fsys, file, config); err != nil {
		return err
	}
	return hf.Within(file, check())
}
