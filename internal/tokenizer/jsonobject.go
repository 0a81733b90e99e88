package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sort"
	"strconv"
	"unicode/utf8"
)

const (
	maxDepth  = 16      // of components in components; every level scans its bytes once more
	maxFields = 1000    // of an object that is read field by field
	maxParts  = 100     // of a pipeline: every one rewrites the text
	maxList   = 1 << 17 // objects in a list; Gemma 3 has 6415 added tokens
)

// object reads one JSON object strictly: a missing, mistyped, repeated or unasked-for field is an error that
// names the field's path. The first error sticks and the readers return zero values from then on, so that a
// component is read in a row of plain assignments and checked once, by done.
type object struct {
	path   string
	depth  int
	fields map[string][]byte
	read   map[string]bool
	parts  *int // components in the file so far
	err    error
}

// newObject opens raw, which is a whole file and valid JSON.
func newObject(raw []byte) *object {
	o := &object{parts: new(int)}
	o.fill(raw)
	return o
}

// below opens raw, which lies at path, as a part of o.
func (o *object) below(path string, raw []byte) *object {
	c := &object{path: path, depth: o.depth + 1, parts: o.parts}
	c.fill(raw)
	return c
}

func (o *object) fill(raw []byte) {
	o.fields, o.read = map[string][]byte{}, map[string]bool{}
	if o.depth > maxDepth {
		o.fail("", "nested deeper than %d levels", maxDepth)
		return
	}
	ok := members(raw, func(key string, value []byte) bool {
		if _, twice := o.fields[key]; twice {
			o.fail(key, "given twice")
		}
		o.fields[key] = value
		return len(o.fields) <= maxFields
	})
	if !ok {
		o.fail("", "not a JSON object of at most %d fields", maxFields)
	}
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
func (o *object) raw(name string) []byte {
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
	c := o.below(o.at(name), raw)
	if o.err != nil {
		c.err = o.err
	}
	return c
}

// objects opens every element of a list; absent and null are an empty list.
func (o *object) objects(name string) []*object {
	var out []*object
	raw := o.raw(name)
	if raw == nil {
		return nil
	}
	ok := elements(raw, func(value []byte) bool {
		out = append(out, o.below(o.at(name)+"["+strconv.Itoa(len(out))+"]", value))
		return len(out) <= maxList
	})
	if !ok {
		o.fail(name, "not a list of at most %d items", maxList)
	}
	return out
}

// affix is a field with a string that is added to texts or tokens; fallback applies where it is absent. It is short,
// or a hostile file could blow up every text.
func (o *object) affix(name string, fallback *string) string {
	const longest = 64
	s := field(o, name, fallback)
	if len(s) > longest {
		o.fail(name, "longer than %d bytes", longest)
		return ""
	}
	return s
}
