package weights

import (
	"errors"
	"fmt"
	"strings"
)

// missing is a parameter that a checkpoint lacks.
type missing struct{ Tensor }

func (m *missing) Error() string { return fmt.Sprintf("%s %q, want %v", ErrMissing, m.Name, m.Dims) }

func (m *missing) Unwrap() error { return ErrMissing }

// Lack says what a file lacks of a model. It wraps ErrMissing.
type Lack struct {
	File    string
	Tensors []Tensor // in the order in which the model asked for them
	instead string   // what the file has in their place, for people
}

// Tensor is a parameter's name and shape.
type Tensor struct {
	Name string
	Dims []int
}

func (l *Lack) Error() string {
	if len(l.Tensors) == 1 {
		return fmt.Sprintf("weights: %s: %s%s", l.File, &missing{l.Tensors[0]}, l.instead)
	}
	names := make([]string, len(l.Tensors))
	for i, t := range l.Tensors {
		names[i] = t.Name
	}
	return fmt.Sprintf("weights: %s: %s: %d, %s%s", l.File, ErrMissing, len(names), some(names), l.instead)
}

func (l *Lack) Unwrap() error { return ErrMissing }

// summed is what went wrong at a cursor: what is missing in one error, and all else.
func (c *Checkpoint) summed(errs []error) error {
	var rest []error
	var lacks []*missing
	for _, err := range errs {
		if m := (*missing)(nil); errors.As(err, &m) {
			lacks = append(lacks, m)
		} else {
			rest = append(rest, err)
		}
	}
	if len(lacks) == 0 {
		return errors.Join(rest...)
	}
	lack := &Lack{File: c.file.Name(), instead: c.instead(lacks)}
	for _, m := range lacks {
		lack.Tensors = append(lack.Tensors, m.Tensor)
	}
	return errors.Join(append(rest, lack)...)
}

// instead says which of the names that are missing the file has with another prefix.
func (c *Checkpoint) instead(lacks []*missing) string {
	prefix, added := c.prefix(lacks)
	if prefix == "" {
		return ""
	}
	count := 0
	for _, m := range lacks {
		name, cut := strings.CutPrefix(m.Name, prefix)
		if added {
			name, cut = prefix+m.Name, true
		}
		if cut && c.Has(name) {
			count++
		}
	}
	word := "without"
	if added {
		word = "with"
	}
	return fmt.Sprintf("; the file has %d of them %s the prefix %q", count, word, prefix)
}

// prefix is what the first such name in the file has before a name that is missing
// (added), or lacks of it; "" if there is none.
func (c *Checkpoint) prefix(lacks []*missing) (prefix string, added bool) {
	for _, m := range lacks {
		for i, r := range m.Name {
			if r == '.' && c.Has(m.Name[i+1:]) {
				return m.Name[:i+1], false
			}
		}
		for _, info := range c.file.Tensors() {
			if before, ok := strings.CutSuffix(info.Name, "."+m.Name); ok {
				return before + ".", true
			}
		}
	}
	return "", false
}

// some quotes the first five names and counts the others.
func some(names []string) string {
	const shown = 5
	if len(names) <= shown {
		return fmt.Sprintf("%q", names)
	}
	return fmt.Sprintf("%q and %d more", names[:shown], len(names)-shown)
}
