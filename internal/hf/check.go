package hf

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// ErrConfig says that a configuration has a value that makes no sense or that the
// library does not support; the error names the field.
var ErrConfig = errors.New("unsupported configuration")

// Errorf returns an error that wraps ErrConfig. Its words name the field, and say
// what it is and what it should be.
func Errorf(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrConfig, fmt.Errorf(format, args...))
}

// Check returns nil if ok, and otherwise what Errorf does.
func Check(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return Errorf(format, args...)
}

// Size is a field of a configuration that counts something.
type Size struct {
	Name  string
	Value int
	Limit int // the largest value believed; what is larger must be damage
}

// CheckSizes returns an error that wraps ErrConfig and names the first field that
// is not between 1 and its limit.
func CheckSizes(sizes ...Size) error {
	for _, s := range sizes {
		if s.Value < 1 || s.Value > s.Limit {
			return Errorf("%s is %d, want 1 to %d", s.Name, s.Value, s.Limit)
		}
	}
	return nil
}

// Require returns an error that wraps ErrConfig and names the field unless its
// value is the one, or one of those, that the library supports.
func Require[T comparable](name string, value T, supported ...T) error {
	if slices.Contains(supported, value) {
		return nil
	}
	words := make([]string, len(supported))
	for i, s := range supported {
		words[i] = fmt.Sprint(s)
	}
	return Errorf("%s is %v, supported: %s", name, value, strings.Join(words, ", "))
}

// Equal returns an error that wraps ErrConfig and names both fields unless their
// values are equal: parts of a model say the same thing twice.
func Equal[T comparable](name string, value T, other string, want T) error {
	return Check(value == want, "%s is %v, but %s is %v", name, value, other, want)
}

// EqualIfGiven is Equal for a field that may be null, or left out.
func EqualIfGiven[T comparable](name string, value *T, other string, want T) error {
	if value == nil {
		return nil
	}
	return Equal(name, *value, other, want)
}

// Absent returns an error that wraps ErrConfig and names the field if it has a
// value that is not null: it belongs to what the library does not have. Pointers
// are followed.
func Absent(name string, value any) error {
	v := reflect.ValueOf(value)
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if !v.IsValid() {
		return nil
	}
	return Errorf("%s is %v, which is not supported; only null is", name, v)
}

// CheckArchitecture returns an error that wraps ErrConfig unless the architectures
// of a config.json include the one wanted, or are left out, as in configurations
// that were never saved with a model.
func CheckArchitecture(architectures []string, want string) error {
	return Check(len(architectures) == 0 || slices.Contains(architectures, want),
		"architectures is %s, supported: %s", strings.Join(architectures, ", "), want)
}
