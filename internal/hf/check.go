package hf

import (
	"errors"
	"fmt"
)

// ErrConfig says that a configuration has a value that makes no sense or that the
// library does not support; the error names the field.
var ErrConfig = errors.New("unsupported configuration")

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
			return fmt.Errorf("%w: %s is %d, want 1 to %d", ErrConfig, s.Name, s.Value, s.Limit)
		}
	}
	return nil
}

// Require returns an error that wraps ErrConfig and names the field unless its
// value is the one, or one of those, that the library supports.
func Require[T comparable](name string, value T, supported ...T) error {
	for _, s := range supported {
		if value == s {
			return nil
		}
	}
	return fmt.Errorf("%w: %s is %v, supported: %v", ErrConfig, name, value, supported)
}
