package sana

import (
	"errors"
	"fmt"

	"github.com/dualprocess/dualprocess-go/backends"
)

// ErrOptions says that the options make no sense, or not for this checkpoint; the
// error names the field.
var ErrOptions = errors.New("invalid options")

// Options of Open. The zero value suits the checkpoint.
type Options struct {
	// Height and Width of the pictures in pixels, multiples of 32. 0 = the size
	// that the model was trained on.
	Height, Width int
	// Steps from noise to picture. 0 = 20.
	Steps int
	// Guidance exaggerates the difference that the prompt makes; up to 1 there is
	// no such thing, and half the work. nil = 4.5.
	Guidance *float64
	// NegativePrompt says what guidance leads away from; by default from pictures
	// of no prompt.
	NegativePrompt string
	// Instruction is put before the prompt. nil = DefaultInstruction, new("") =
	// none, as the paper's reference trains.
	Instruction *string
	// TextTokens is the length that prompts are cut or padded to. 0 = 300, as in
	// the pipeline.
	TextTokens int
	// Solver takes the steps. 0 = that of the checkpoint's scheduler.
	Solver Solver
	// Shift moves the noise levels towards noise. 0 = that of the checkpoint's
	// scheduler, 3 in the released ones.
	Shift float64
	// Checkpoint says whether the activations of every block are recomputed in the
	// backward pass.
	Checkpoint backends.Checkpointing
}

// Solver goes from one noise level to the next. Each has noise levels of its own.
type Solver int

// The solvers.
const (
	Stock Solver = iota // the scheduler's
	DPM                 // DPM-Solver++ 2M, which looks back one step
	Euler
)

// resolved fills in the defaults and checks what was given.
func (o Options) resolved(c Config) (Options, error) {
	pixels := c.Autoencoder.Factor()
	setDefault(&o.Height, c.Transformer.SampleSize*pixels)
	setDefault(&o.Width, c.Transformer.SampleSize*pixels)
	setDefault(&o.Steps, 20)
	setDefault(&o.TextTokens, 300)
	setDefault(&o.Shift, c.Scheduler.Shift)
	if o.Guidance == nil {
		o.Guidance = new(4.5)
	}
	if o.Instruction == nil {
		o.Instruction = new(DefaultInstruction)
	}
	switch {
	case o.Solver == Stock && c.Scheduler.Class == eulerClass:
		o.Solver = Euler
	case o.Solver == Stock:
		o.Solver = DPM
	}
	return o, o.check(pixels)
}

func (o Options) check(pixels int) error {
	for _, f := range []struct {
		name         string
		value, limit int
	}{{"Height", o.Height, 1 << 14}, {"Width", o.Width, 1 << 14}, {"Steps", o.Steps, 1000}, {"TextTokens", o.TextTokens, 1 << 14}} {
		if f.value < 1 || f.value > f.limit {
			return fmt.Errorf("%w: %s is %d, want 1 to %d", ErrOptions, f.name, f.value, f.limit)
		}
	}
	switch {
	case o.Height%pixels != 0 || o.Width%pixels != 0:
		return fmt.Errorf("%w: Height %d and Width %d must be multiples of %d", ErrOptions, o.Height, o.Width, pixels)
	case !(*o.Guidance >= 0 && *o.Guidance <= 1000):
		return fmt.Errorf("%w: Guidance is %v, want 0 to 1000", ErrOptions, *o.Guidance)
	case !(o.Shift > 0 && o.Shift < 1e3):
		return fmt.Errorf("%w: Shift is %v", ErrOptions, o.Shift)
	case o.Solver < Stock || o.Solver > Euler:
		return fmt.Errorf("%w: Solver is %d", ErrOptions, o.Solver)
	}
	if err := o.Checkpoint.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrOptions, err)
	}
	return nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
