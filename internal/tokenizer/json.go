package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/dualprocess/dualprocess-go/internal/hf"
)

const (
	maxDepth  = 16      // objects in objects
	maxFields = 1000    // of an object
	maxParts  = 100     // of a pipeline: each one rewrites the text
	maxPart   = 8 << 20 // bytes of a part; T5's with its character map has 0.3 MB
	maxList   = 1 << 17 // objects in a list; Gemma 3 has 6415 added tokens
)

// object is a JSON object of tokenizer.json that is being read. Every field has to be known, or be null: what else is
// left of them in the end is an error.
type object struct {
	path   string // in the file, for errors
	fields map[string]json.RawMessage
	depth  int
	parts  *int     // of the pipeline so far
	ignore []string // fields that are passed over where they are not known
}

// openFile takes apart the object that is a whole file, and the one that is its model. The model, nearly all of the
// file, is read where it stands, as each level of objects in objects is read anew.
func openFile(raw []byte, ignore []string) (file, model object, err error) {
	file.parts, file.ignore = new(int), ignore
	if !utf8.Valid(raw) {
		return file, model, file.malformed("", "not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if err := file.fill(d, &model); err != nil {
		return file, model, err
	}
	if _, err := d.Token(); err != io.EOF {
		return file, model, file.malformed("", "not JSON: something follows the object")
	}
	if model.fields == nil {
		return file, model, file.malformed("model", "missing")
	}
	return file, model, nil
}

// open takes apart the object raw, which is what o has at name.
func (o object) open(name string, raw []byte) (object, error) {
	c := o.child(name)
	if c.depth > maxDepth {
		return c, o.malformed(name, "nested deeper than %d levels", maxDepth)
	}
	return c, c.fill(json.NewDecoder(bytes.NewReader(raw)), nil)
}

// child is an object that has yet to be filled.
func (o object) child(name string) object {
	return object{path: o.at(name), depth: o.depth + 1, parts: o.parts, ignore: o.ignore}
}

// fill reads the fields of an object, each of which may be given once. If model isn't nil, the field of that name fills
// model instead of being kept.
func (o *object) fill(d *json.Decoder, model *object) error {
	o.fields = map[string]json.RawMessage{}
	open, err := d.Token()
	if err == nil && open != json.Delim('{') {
		return o.malformed("", "not a JSON object")
	}
	for err == nil && d.More() {
		var key json.Token
		if key, err = d.Token(); err != nil {
			break
		}
		name, _ := key.(string)
		if _, twice := o.fields[name]; twice {
			return o.malformed(name, "given twice")
		}
		var value json.RawMessage
		if model != nil && name == "model" {
			*model = o.child(name)
			if err := model.fill(d, nil); err != nil {
				return err
			}
		} else {
			err = d.Decode(&value)
		}
		if o.fields[name] = value; len(o.fields) > maxFields {
			return o.malformed("", "not an object of at most %d fields", maxFields)
		}
	}
	if err == nil {
		_, err = d.Token() // the closing brace
	}
	if err != nil {
		return o.malformed("", "not JSON: %w", err)
	}
	return nil
}

// at is the path of a field, or of the object itself for "".
func (o object) at(name string) string { return strings.Trim(o.path+"."+name, ".") }

// malformed is an error about a field, or about the object itself for "".
func (o object) malformed(name, format string, args ...any) error {
	return o.wrap(name, fmt.Errorf(format, args...))
}

// unsupported is an error about a setting that this package doesn't have.
func (o object) unsupported(name, format string, args ...any) error {
	return o.wrap(name, fmt.Errorf("%w: "+format, append([]any{ErrUnsupported}, args...)...))
}

// wrap puts a field's path before an error, which means a malformed file unless it says otherwise.
func (o object) wrap(name string, err error) error {
	if !errors.Is(err, ErrUnsupported) {
		err = fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if path := o.at(name); path != "" {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return err
}

// take removes a field; nil where it is absent or null.
func (o object) take(name string) json.RawMessage {
	raw := o.fields[name]
	delete(o.fields, name)
	if string(raw) == "null" {
		return nil
	}
	return raw
}

// kind takes the field "type".
func (o object) kind() (string, error) {
	raw := o.take("type")
	if raw == nil {
		return "", o.malformed("type", "missing")
	}
	var kind string
	if err := json.Unmarshal(raw, &kind); err != nil {
		return "", o.wrap("type", err)
	}
	return kind, nil
}

// only is an error if fields are left besides those named, which don't matter.
func (o object) only(ignored ...string) error {
	var left []string
	for name, value := range o.fields {
		if !slices.Contains(ignored, name) && !slices.Contains(o.ignore, name) && !hf.Null(value) {
			left = append(left, name)
		}
	}
	if len(left) > 0 {
		return o.unsupported(slices.Min(left), "this field is not known and may change the ids; the option Ignore passes over it by its name")
	}
	return nil
}

// read decodes the fields of o into the struct v, which holds the defaults. A field that may be absent has the option
// omitempty in its tag. One that v lacks is an error.
func read[T any](o object, v T) (T, error) {
	s := reflect.ValueOf(&v).Elem()
	for i := range s.NumField() {
		name, option, _ := strings.Cut(s.Type().Field(i).Tag.Get("json"), ",")
		if name == "" {
			continue
		}
		if raw := o.take(name); raw != nil {
			if err := decode(raw, s.Field(i).Addr().Interface()); err != nil {
				return v, o.wrap(name, err)
			}
		} else if option != "omitempty" {
			return v, o.malformed(name, "missing")
		}
	}
	return v, o.only()
}

// decode is json.Unmarshal, which would check once more that raw is valid before it calls UnmarshalJSON.
func decode(raw []byte, v any) error {
	if u, ok := v.(json.Unmarshaler); ok {
		return u.UnmarshalJSON(raw)
	}
	return json.Unmarshal(raw, v)
}

// list takes a field that is a list; an absent one is empty.
func (o object) list(name string) ([]json.RawMessage, error) {
	const fields = 8 // of an item, at most
	raw := o.take(name)
	if raw == nil {
		return nil, nil
	}
	var items []json.RawMessage
	if checkCount(raw, ",", fields*maxList) != nil || json.Unmarshal(raw, &items) != nil || len(items) > maxList {
		return nil, o.malformed(name, "not a list of at most %d items", maxList)
	}
	return items, nil
}

// checkCount bounds the items of a list or an object by what separates them, before memory is spent on decoding them.
func checkCount(raw []byte, separator string, most int) error {
	if bytes.Count(raw, []byte(separator)) > most {
		return errors.New("too many items")
	}
	return nil
}

// component reads a part of the pipeline with parse; absent and null give fallback.
func component[T any](o object, name string, parse func(kind string, o object) (T, error), fallback T) (T, error) {
	raw := o.take(name)
	if raw == nil {
		return fallback, nil
	}
	return parsePart(o, name, raw, parse)
}

// components reads a list of parts, the only field of a Sequence.
func components[T any](o object, name string, parse func(kind string, o object) (T, error)) ([]T, error) {
	items, err := o.list(name)
	if err == nil {
		err = o.only()
	}
	if err != nil {
		return nil, err
	}
	var parts []T
	for i, raw := range items {
		part, err := parsePart(o, fmt.Sprintf("%s[%d]", name, i), raw, parse)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// parsePart reads a part with parse, to which its type is given.
func parsePart[T any](o object, name string, raw []byte, parse func(kind string, o object) (T, error)) (part T, err error) {
	switch *o.parts++; {
	case *o.parts > maxParts:
		return part, o.malformed(name, "more than %d components", maxParts)
	case len(raw) > maxPart:
		return part, o.malformed(name, "more than %d bytes", maxPart)
	}
	c, err := o.open(name, raw)
	if err != nil {
		return part, err
	}
	kind, err := c.kind()
	if err != nil {
		return part, err
	}
	return parse(kind, c)
}

// affix is a string that is added to texts or tokens: a short one, or a hostile file could blow up every text.
type affix string

// UnmarshalJSON implements json.Unmarshaler.
func (a *affix) UnmarshalJSON(raw []byte) error {
	const longest = 64
	if err := json.Unmarshal(raw, (*string)(a)); err != nil {
		return err
	}
	if len(*a) > longest {
		return fmt.Errorf("longer than %d bytes", longest)
	}
	return nil
}

// character is a string of one character.
type character rune

// UnmarshalJSON implements json.Unmarshaler.
func (c *character) UnmarshalJSON(raw []byte) error {
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	r, size := utf8.DecodeRuneInString(s)
	if size != len(s) || size == 0 {
		return fmt.Errorf("%q is not one character", s)
	}
	*c = character(r)
	return nil
}

// ignored is a field of any value.
type ignored struct{}

// UnmarshalJSON implements json.Unmarshaler.
func (ignored) UnmarshalJSON([]byte) error { return nil }

// strict is a value whose objects have no other fields than T's.
type strict[T any] struct{ value T }

// UnmarshalJSON implements json.Unmarshaler.
func (s *strict[T]) UnmarshalJSON(raw []byte) error {
	return hf.Decode(raw, &s.value)
}
