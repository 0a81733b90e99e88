package hf

import (
	"encoding/json"
	"fmt"
	"io/fs"
)

// ReadField decodes one field of the JSON file name of fsys: the one that says
// which model a folder holds, before anything is known of the others. A field that
// is missing is an error that wraps ErrConfig.
func ReadField[T any](fsys fs.FS, name, field string) (T, error) {
	var value T
	var fields map[string]json.RawMessage
	if err := ReadConfig(fsys, name, &fields); err != nil {
		return value, err
	}
	raw, ok := fields[field]
	if !ok {
		return value, fmt.Errorf("hf: %s: %w: has no %s", name, ErrConfig, field)
	}
	if err := json.Unmarshal(raw, &value); err != nil {
		return value, fmt.Errorf("hf: %s: %s: %w", name, field, err)
	}
	return value, nil
}
