package hf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
)

// Decode decodes a JSON value into v, a pointer. A field that a struct in v does
// not have is an error: a setting that is ignored is a wrong model. This is the
// one place where that is decided.
func Decode(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the object")
	}
	return nil
}

// DecodeFields decodes an object whose fields have been looked at already into v,
// a pointer to a struct. Fields that are null may be unknown: they say nothing.
func DecodeFields(fields map[string]json.RawMessage, v any) error {
	all, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(all, v); err != nil { // with the nulls of known fields
		return err
	}
	given := maps.Clone(fields)
	maps.DeleteFunc(given, func(_ string, value json.RawMessage) bool { return Null(value) })
	if all, err = json.Marshal(given); err != nil {
		return err
	}
	return Decode(all, v)
}

// Null says that a field of a JSON object is null or not there.
func Null(field json.RawMessage) bool { return field == nil || string(field) == "null" }

// Within names the file, or the part of one, that an error is about. No error
// stays none.
func Within(part string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", part, err)
}
