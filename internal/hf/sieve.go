package hf

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/dualprocess/dualprocess-go/internal/quote"
)

// sieve parts the fields of a JSON value that a Go type has from those that it lacks.
type sieve struct {
	unknown []string // and not harmless
}

// known returns a value without the fields that are harmless and that the type lacks.
// Those that are not harmless are noted. What decodes itself is left as it is.
func (s *sieve) known(value json.RawMessage, t reflect.Type) json.RawMessage {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		return value
	}
	switch t.Kind() {
	case reflect.Struct:
		types := fieldTypes(t)
		return sifted(value, func(name string, field json.RawMessage) json.RawMessage {
			own, ok := types[strings.ToLower(name)]
			switch {
			case ok:
				return s.known(field, own)
			case !harmless(name, field):
				s.unknown = append(s.unknown, name)
			}
			return nil
		})
	case reflect.Map:
		return sifted(value, func(_ string, field json.RawMessage) json.RawMessage { return s.known(field, t.Elem()) })
	case reflect.Slice, reflect.Array:
		var items []json.RawMessage
		if t.Elem().Kind() != reflect.Struct || json.Unmarshal(value, &items) != nil || items == nil {
			return value
		}
		for i, item := range items {
			items[i] = s.known(item, t.Elem())
		}
		return encoded(items, value)
	}
	return value
}

// sifted replaces the fields of an object by what keep makes of them; nil drops one.
// What is no object is returned as it is: to decode it gives the better error.
func sifted(value json.RawMessage, keep func(name string, field json.RawMessage) json.RawMessage) json.RawMessage {
	var fields map[string]json.RawMessage
	if json.Unmarshal(value, &fields) != nil || fields == nil {
		return value
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if field := keep(name, fields[name]); field != nil {
			fields[name] = field
		} else {
			delete(fields, name)
		}
	}
	return encoded(fields, value)
}

// encoded is v as JSON, or what it was made of.
func encoded(v any, value json.RawMessage) json.RawMessage {
	if text, err := json.Marshal(v); err == nil {
		return text
	}
	return value
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
