package hf

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/dualprocess/dualprocess-go/internal/quote"
)

// sieve finds the fields of a JSON value that a Go type lacks.
type sieve struct {
	unknown []string // and not harmless
}

// look notes the fields of a value that the type lacks and that are not harmless. What
// decodes itself looks for itself.
func (s *sieve) look(value json.RawMessage, t reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		types := fieldTypes(t)
		for name, field := range fieldsOf(value) {
			if own, ok := types[strings.ToLower(name)]; ok {
				s.look(field, own)
			} else if !harmless(name, field) {
				s.unknown = append(s.unknown, name)
			}
		}
	case reflect.Map:
		for _, field := range fieldsOf(value) {
			s.look(field, t.Elem())
		}
	case reflect.Slice, reflect.Array:
		var items []json.RawMessage
		if t.Elem().Kind() == reflect.Struct && json.Unmarshal(value, &items) == nil {
			for _, item := range items {
				s.look(item, t.Elem())
			}
		}
	}
}

// fieldsOf are those of an object; what is none has none, of which decoding it will
// say more.
func fieldsOf(value json.RawMessage) (fields map[string]json.RawMessage) {
	if json.Unmarshal(value, &fields) != nil {
		return nil
	}
	return fields
}

// fieldTypes are those of the JSON fields of a struct, in lower case as encoding/json
// does not mind the case. Of two with one name the less embedded counts.
func fieldTypes(t reflect.Type) map[string]reflect.Type {
	types := map[string]reflect.Type{}
	for level := []reflect.Type{t}; len(level) > 0; {
		var next []reflect.Type
		for _, embedded := range level {
			for i := range embedded.NumField() {
				f := embedded.Field(i)
				name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				switch lower := strings.ToLower(name); {
				case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
					next = append(next, f.Type)
				case !f.IsExported() || name == "-":
				case name == "":
					lower = strings.ToLower(f.Name)
					fallthrough
				default:
					if _, ok := types[lower]; !ok {
						types[lower] = f.Type
					}
				}
			}
		}
		level = next
	}
	return types
}

// err names what is unknown.
func (s *sieve) err() error {
	if len(s.unknown) == 0 {
		return nil
	}
	const shown = 5
	slices.Sort(s.unknown)
	names := slices.Compact(s.unknown)
	more := ""
	if len(names) > shown {
		more = fmt.Sprintf(" and %d more", len(names)-shown)
		names = names[:shown]
	}
	word := "field"
	if len(names) > 1 {
		word = "fields"
	}
	for i, name := range names {
		names[i] = quote.Short(name)
	}
	return fmt.Errorf("unknown %s %s%s: what is not known may change the model; the option Ignore passes over fields by their names",
		word, strings.Join(names, ", "), more)
}
