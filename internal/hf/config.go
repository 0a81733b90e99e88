package hf

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
)

// maxConfig bounds a JSON configuration, in bytes; real ones have a few thousand.
const maxConfig = 1 << 20

// ReadConfig decodes the JSON file name of fsys into config, a pointer to a
// struct, as Decode does. The words for numbers that Python writes and JSON does
// not have (NaN, Infinity) count as null. Fields that a Folder ignores are as if the
// file did not have them. Errors name the file.
func ReadConfig(fsys fs.FS, name string, config any) error {
	f, err := fsys.Open(name)
	if err != nil {
		return err // which names the file
	}
	defer f.Close()
	data, err := readText(f)
	if err == nil {
		err = Decode(reading(fsys).without(withoutPython(data)), config)
	}
	return Within(name, err)
}

// readText reads a file that is no larger than a configuration, and no pointer to one.
func readText(f fs.File) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err == nil && len(data) > maxConfig {
		err = fmt.Errorf("larger than %d bytes", maxConfig)
	}
	if err == nil {
		err = CheckPointer(data)
	}
	return data, err
}

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
		return value, Within(name, Errorf("has no %s", field))
	}
	if err := json.Unmarshal(raw, &value); err != nil {
		return value, fmt.Errorf("%s: %s: %w", name, field, err)
	}
	return value, nil
}
