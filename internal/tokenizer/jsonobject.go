package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"strconv"
	"unicode/utf8"
)

// maxDepth bounds how deep components nest (Sequence within Sequence); every level scans its bytes once more.
const maxDepth = 16

// object reads one JSON object strictly: a missing, mistyped, repeated or unasked-for field is an error that
// names the field's path. The first error sticks and the readers return zero values from then on, so that a
// component is read in a row of plain assignments and checked once, by done.
type object struct {
	path   string
	depth  int
	fields map[string]json.RawMessage
	read   map[string]bool
	err    error
}

// newObject opens raw, which lies at path of the file.
func newObject(path string, depth int, raw json.RawMessage) *object {
	o := &object{path: path, depth: depth, fields: map[string]json.RawMessage{}, read: map[string]bool{}}
	if depth > maxDepth {
		o.fail("", "nested deeper than %d levels", maxDepth)
		return o
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if tok, err := dec.Token(); err != nil || tok != json.Delim('{') {
		o.fail("", "not a JSON object")
		return o
	}
	for dec.More() {
		tok, err := dec.Token()
		key, isKey := tok.(string)
		if err != nil || !isKey {
			o.fail("", "not a JSON object: %v", err)
			return o
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			o.fail(key, "%v", err)
			return o
		}
		if _, twice := o.fields[key]; twice {
			o.fail(key, "given twice")
			return o
		}
		o.fields[key] = value
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		o.fail("", "%v", err)
	} else if _, err := dec.Token(); err != io.EOF {
		o.fail("", "something follows the JSON object")
	}
	return o
}

// at is the path of a field, or of the object itself for "".
func (o *object) at(name string) string {
	if name == "" || o.path == "" {
		return o.path + name
	}
	return o.path + "." + name
}

// fail records a malformed file, unless something was wrong before.
func (o *object) fail(name, format string, args ...any) {
	if o.err == nil {
		o.err = fmt.Errorf("%s: %w: %s", o.at(name), ErrFormat, fmt.Sprintf(format, args...))
	}
}

// refuse records a setting that this package doesn't support.
func (o *object) refuse(name, format string, args ...any) {
	if o.err == nil {
		o.err = fmt.Errorf("%s: %w: %s", o.at(name), ErrUnsupported, fmt.Sprintf(format, args...))
	}
}

// done returns the first error; a field that nobody asked for is one.
func (o *object) done() error {
	var unread []string
	for name := range o.fields {
		if !o.read[name] {
			unread = append(unread, name)
		}
	}
	if len(unread) > 0 {
		sort.Strings(unread)
		o.refuse(unread[0], "this field is not known")
	}
	return o.err
}

// adopt closes the object c, a component of o's, and takes over its error.
func (o *object) adopt(c *object) {
	if err := c.done(); o.err == nil {
		o.err = err
	}
}

// raw returns a field's bytes; nil where it is absent or null.
func (o *object) raw(name string) json.RawMessage {
	o.read[name] = true
	value := o.fields[name]
	if o.err != nil || bytes.Equal(value, []byte("null")) {
		return nil
	}
	return value
}

// ignore accepts a field of any value.
func (o *object) ignore(names ...string) {
	for _, name := range names {
		o.read[name] = true
	}
}

// field decodes a field into a value of type T; absent and null give fallback, or an error where fallback is nil.
func field[T any](o *object, name string, fallback *T) T {
	var value T
	raw := o.raw(name)
	switch {
	case o.err != nil:
	case raw == nil && fallback == nil:
		o.fail(name, "missing")
	case raw == nil:
		return *fallback
	default:
		if err := json.Unmarshal(raw, &value); err != nil {
			o.fail(name, "%v", err)
		}
	}
	return value
}

func (o *object) text(name string) string             { return field[string](o, name, nil) }
func (o *object) textOr(name, fallback string) string { return field(o, name, &fallback) }
func (o *object) flag(name string) bool               { return field[bool](o, name, nil) }
func (o *object) flagOr(name string, or bool) bool    { return field(o, name, &or) }
func (o *object) integer(name string) int             { return field[int](o, name, nil) }
func (o *object) integerOr(name string, or int) int   { return field(o, name, &or) }

// char is a field that holds one character.
func (o *object) char(name string) rune {
	s := o.text(name)
	r, size := utf8.DecodeRuneInString(s)
	if size != len(s) || size == 0 {
		o.fail(name, "%q is not one character", s)
	}
	return r
}

// child opens an object below o; it is an error where the field is absent.
func (o *object) child(name string) *object {
	raw := o.raw(name)
	if raw == nil {
		o.fail(name, "missing")
	}
	c := newObject(o.at(name), o.depth+1, raw)
	if o.err != nil {
		c.err = o.err
	}
	return c
}

// objects opens every element of a list; absent and null are an empty list.
func (o *object) objects(name string) []*object {
	raws := field(o, name, &[]json.RawMessage{})
	out := make([]*object, len(raws))
	for i, raw := range raws {
		out[i] = newObject(o.at(name)+"["+strconv.Itoa(i)+"]", o.depth+1, raw)
	}
	return out
}
