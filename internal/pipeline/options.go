package pipeline

import (
	"errors"
	"fmt"

	"github.com/dualprocess/dualprocess-go/backends"
)

// ErrOptions says that the options of a generator make no sense, or not for the
// checkpoint. The error names the field.
var ErrOptions = errors.New("invalid options")

// Options are those that generators have in common, with their defaults filled in.
type Options struct {
	Height, Width int      // in pixels
	Steps         int      // of the sampler
	Guidance      *float64 // nil = the model has none
	TextTokens    int      // 0 = not to be chosen
	Checkpoint    backends.Checkpointing
}

// Check returns an error that names the first field out of its range. Height and
// Width must be multiples of pixels, Steps are at most steps.
func (o Options) Check(pixels, steps int) error {
	const longest = 1 << 14 // of a side in pixels, and of a prompt in tokens
	for _, f := range []struct {
		name         string
		value, limit int
	}{{"Height", o.Height, longest}, {"Width", o.Width, longest}, {"Steps", o.Steps, steps}} {
		if f.value < 1 || f.value > f.limit {
			return fmt.Errorf("%w: %s is %d, want 1 to %d", ErrOptions, f.name, f.value, f.limit)
		}
	}
	switch {
	case o.TextTokens < 0 || o.TextTokens > longest:
		return fmt.Errorf("%w: TextTokens is %d, want 1 to %d", ErrOptions, o.TextTokens, longest)
	case o.Height%pixels != 0 || o.Width%pixels != 0:
		return fmt.Errorf("%w: Height %d and Width %d must be multiples of %d", ErrOptions, o.Height, o.Width, pixels)
	case o.Guidance != nil && !(*o.Guidance >= 0 && *o.Guidance <= 1000):
		return fmt.Errorf("%w: Guidance is %v, want 0 to 1000", ErrOptions, *o.Guidance)
	}
	if err := o.Checkpoint.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrOptions, err)
	}
	return nil
}
