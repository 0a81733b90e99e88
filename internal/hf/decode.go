package hf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
)

// Decode decodes a JSON value into v, a pointer. A field that a struct in v does not
// have is an error unless it is known to change nothing (see harmless): a setting that
// is ignored is a wrong model. The error wraps ErrConfig and names all such fields.
// This is the one place where that is decided.
func Decode(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	var value json.RawMessage
	if err := d.Decode(&value); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the object")
	}
	var s sieve
	s.look(value, reflect.TypeOf(v))
	if err := s.err(); err != nil {
		return err
	}
	return json.Unmarshal(value, v)
}

// DecodeFields is Decode for an object whose fields have been looked at already.
func DecodeFields(fields map[string]json.RawMessage, v any) error {
	all, err := json.Marshal(fields)
	if err != nil {
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
