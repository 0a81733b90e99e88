package hf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// maxConfig bounds a JSON configuration, in bytes; real ones have a few thousand.
const maxConfig = 1 << 20

// ReadConfig decodes the JSON file name of fsys into config, a pointer to a
// struct. A field that the struct does not have is an error: a setting that is
// ignored is a wrong model. The words for numbers that Python writes and JSON does
// not have (NaN, Infinity) count as null.
func ReadConfig(fsys fs.FS, name string, config any) error {
	f, err := fsys.Open(name)
	if err != nil {
		return fmt.Errorf("hf: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return fmt.Errorf("hf: %s: %w", name, err)
	}
	if len(data) > maxConfig {
		return fmt.Errorf("hf: %s is larger than %d bytes", name, maxConfig)
	}
	d := json.NewDecoder(bytes.NewReader(withoutPython(data)))
	d.DisallowUnknownFields()
	if err := d.Decode(config); err != nil {
		return fmt.Errorf("hf: %s: %w", name, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("hf: %s: something follows the object", name)
	}
	return nil
}
