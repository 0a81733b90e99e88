// Package weights names, finds and loads the frozen parameters of a model.
//
// A model asks for its parameters through a Cursor, by the names and shapes
// that its configuration implies. The cursor's source answers: a checkpoint
// (strictly: a missing, misshapen or surplus tensor is an error that names it)
// or, where a model of our own is trained, an initialiser.
package weights

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gomlx/gomlx/ml/model"
)

// Source finds or makes the variable of one parameter.
type Source interface {
	// Variable returns the variable called name, whose shape must be dims.
	Variable(name string, dims ...int) (*model.Variable, error)
}

// Cursor is a place in the tree of a model's parameter names. Copies share the
// list of errors, so that a constructor can ask for all its parameters without
// a check after each, and report everything that is wrong at once.
type Cursor struct {
	source Source
	path   string
	errs   *[]error
}

// NewCursor returns a cursor at the root of source.
func NewCursor(source Source) Cursor {
	return Cursor{source: source, errs: new([]error)}
}

// In returns the cursor at a child: the path elements are joined by dots.
func (c Cursor) In(elements ...any) Cursor {
	c.path = c.Path(elements...)
	return c
}

// Path returns the full name of a child. Elements that are empty count for nothing.
func (c Cursor) Path(elements ...any) string {
	parts := make([]string, 0, len(elements)+1)
	if c.path != "" {
		parts = append(parts, c.path)
	}
	for _, e := range elements {
		if part := fmt.Sprint(e); part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ".")
}

// Variable returns the parameter called name below the cursor, of shape dims.
// Where it can't be had it returns nil and the reason waits in Err.
func (c Cursor) Variable(name string, dims ...int) *model.Variable {
	v, err := c.source.Variable(c.Path(name), dims...)
	if err != nil {
		*c.errs = append(*c.errs, err)
		return nil
	}
	return v
}

// Err returns everything that went wrong on this cursor and its copies, or nil.
func (c Cursor) Err() error { return errors.Join(*c.errs...) }
