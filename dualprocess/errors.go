package dualprocess

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Errors of this package's functions, wrapped with the details.
var (
	// ErrTask says that the caller made a mistake: in the settings of a Task, an
	// Evaluation, a LatentTask or SampleOptions, or in an argument. The message names
	// the field.
	ErrTask = errors.New("invalid task")

	// ErrPrompt says that a model cannot read a prompt or a question: it has words
	// that the model does not know, it is too long, or it is no text at all.
	// Generators and verifiers wrap it.
	ErrPrompt = errors.New("unreadable text")

	// ErrNotFinite says that there were numbers that are NaN or infinite: in the
	// picture, the loss or the gradient of several updates in a row, in a picture
	// that was made, or in a verifier's answer.
	ErrNotFinite = errors.New("not finite")
)

// named puts the package's name before an error, once: where it leaves the package.
func named(err *error) {
	if *err != nil {
		*err = fmt.Errorf("dualprocess: %w", *err)
	}
}

// invalid returns an error about one field.
func invalid(field, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrTask, field, fmt.Sprintf(format, args...))
}

// invalidBecause returns an error about one field that wraps another.
func invalidBecause(field string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %s: %w", ErrTask, field, err)
}

// inRange returns an error unless low <= value <= high; NaN is in no range.
func inRange(field string, value, low, high float64) error {
	if value >= low && value <= high {
		return nil
	}
	const endless = math.MaxFloat32
	switch {
	case low == math.SmallestNonzeroFloat64:
		return invalid(field, "must be positive and finite, not %s", number(value))
	case low == -endless && high == endless:
		return invalid(field, "must be finite, not %s", number(value))
	case high == endless:
		return invalid(field, "must be at least %s and finite, not %s", number(low), number(value))
	}
	return invalid(field, "must be in [%s, %s], not %s", number(low), number(high), number(value))
}

// number prints counts as counts, without an exponent.
func number(value float64) string {
	if value == math.Trunc(value) && math.Abs(value) < 1<<53 {
		return strconv.FormatFloat(value, 'f', -1, 64)
	}
	return strconv.FormatFloat(value, 'g', -1, 64)
}

// isFinite returns an error unless a value has a place among float32 numbers.
func isFinite(field string, value float64) error {
	return inRange(field, value, -math.MaxFloat32, math.MaxFloat32)
}

// firstError returns the first error that is not nil.
func firstError(errs ...error) error {
	if k := slices.IndexFunc(errs, func(err error) bool { return err != nil }); k >= 0 {
		return errs[k]
	}
	return nil
}

// setDefault gives a field left at zero its default.
func setDefault[T int | float64](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}
