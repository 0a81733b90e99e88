package dualprocess

import (
	"fmt"
	"math"
	"slices"

	"github.com/dualprocess/dualprocess-go/lora"
)

// invalid returns an error about one field of a task.
func invalid(field, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrTask, field, fmt.Sprintf(format, args...))
}

// resolved returns the task with every default filled in, or an error that names
// the first field at fault. Nothing has been computed yet by then.
func (t Task) resolved() (Task, error) {
	for _, check := range []func(*Task) error{
		(*Task).resolveModels, (*Task).resolveOptimizer, (*Task).resolveSeeds, (*Task).resolveSteps, (*Task).resolveGuards,
	} {
		if err := check(&t); err != nil {
			return t, err
		}
	}
	return t, nil
}

func (t *Task) resolveModels() error {
	switch {
	case t.Runtime == nil || t.Runtime.Backend == nil:
		return invalid("Runtime", "must be an open runtime")
	case t.Generator == nil:
		return invalid("Generator", "must be given")
	case t.Verifier == nil:
		return invalid("Verifier", "must be given")
	case t.Start != nil && (t.Adapter.Rank != 0 || t.Adapter.Alpha != 0 || t.Adapter.Targets != nil):
		return invalid("Adapter", "cannot configure an adapter that Start already has")
	}
	if err := checkPrompts("Prompts", t.Prompts); err != nil {
		return err
	}
	if err := checkQuestions(t.Questions); err != nil {
		return err
	}
	if t.Start == nil && t.Adapter.Targets == nil {
		t.Adapter.Targets = preset(t.Generator).Targets
	}
	if t.Adapter.Seed == 0 {
		t.Adapter.Seed = t.Seed
	}
	return nil
}

// preset returns the generator's suggestions, or none.
func preset(g Generator) Preset {
	if p, ok := g.(Presetter); ok {
		return p.Preset()
	}
	return Preset{}
}

func checkPrompts(field string, prompts []string) error {
	if len(prompts) == 0 {
		return invalid(field, "at least one is needed")
	}
	return nil
}

func checkQuestions(questions []Question) error {
	if len(questions) == 0 {
		return invalid("Questions", "at least one is needed")
	}
	for k, q := range questions {
		switch {
		case q.Text == "":
			return invalid(fmt.Sprintf("Questions[%d].Text", k), "must not be empty")
		case q.Answer == "":
			return invalid(fmt.Sprintf("Questions[%d].Answer", k), "must not be empty")
		case q.Bare && q.Suffix != "":
			return invalid(fmt.Sprintf("Questions[%d].Suffix", k), "a bare question has none")
		}
	}
	return nil
}

func (t *Task) resolveOptimizer() error {
	suggested := preset(t.Generator).LearningRate
	if suggested == 0 {
		suggested = 5e-5
	}
	if t.Start != nil {
		setDefault(&t.Weight, t.Start.Weight())
	}
	setDefault(&t.Weight, lora.DefaultWeight)
	setDefault(&t.LearningRate, suggested)
	setDefault(&t.Updates, 100)
	setDefault(&t.Batch, 1)
	setDefault(&t.Accumulate, 1)
	setDefault(&t.Clip, 1)
	setDefault(&t.Beta1, 0.9)
	setDefault(&t.Beta2, 0.999)
	setDefault(&t.Epsilon, 1e-8)
	return firstError(
		inRange("Weight", t.Weight, math.SmallestNonzeroFloat64, math.MaxFloat32),
		inRange("LearningRate", t.LearningRate, math.SmallestNonzeroFloat64, math.MaxFloat32),
		inRange("Updates", float64(t.Updates), 1, math.MaxInt32),
		inRange("WarmUp", float64(t.WarmUp), 0, float64(t.Updates)),
		inRange("Decay", float64(t.Decay), 0, float64(t.Updates-t.WarmUp)),
		inRange("DecayTo", t.DecayTo, 0, 1),
		inRange("Batch", float64(t.Batch), 1, math.MaxInt32),
		inRange("Accumulate", float64(t.Accumulate), 1, math.MaxInt32),
		inRange("Clip", t.Clip, -math.MaxFloat32, math.MaxFloat32),
		inRange("Beta1", t.Beta1, 0, 1-1e-9),
		inRange("Beta2", t.Beta2, 0, 1-1e-9),
		inRange("Epsilon", t.Epsilon, 0, math.MaxFloat32),
		inRange("WeightDecay", t.WeightDecay, 0, math.MaxFloat32),
	)
}

func (t *Task) resolveSeeds() error {
	if t.SeedOrder != Cycled && t.SeedOrder != Drawn {
		return invalid("SeedOrder", "unknown value %d", t.SeedOrder)
	}
	if t.Seeds != nil {
		if len(t.Seeds) == 0 {
			return invalid("Seeds", "a list that is given must not be empty")
		}
		if t.SeedCount != 0 {
			return invalid("SeedCount", "cannot go with a list of Seeds")
		}
		return nil
	}
	setDefault(&t.SeedCount, t.Updates*t.Batch*t.Accumulate)
	if err := inRange("SeedCount", float64(t.SeedCount), 1, math.MaxInt32); err != nil {
		return err
	}
	random := stream(t.Seed, "seeds")
	for range t.SeedCount {
		t.Seeds = append(t.Seeds, newSeed(random))
	}
	return nil
}

func (t *Task) resolveSteps() error {
	steps := t.Generator.Steps()
	if steps < 1 {
		return invalid("Generator", "has %d steps", steps)
	}
	levels := t.levels()
	if levels > 0 {
		steps = levels
	} else if t.FirstStep == 0 && t.EndStep == 0 {
		suggested := preset(t.Generator)
		t.FirstStep, t.EndStep = suggested.FirstStep, suggested.EndStep
	}
	setDefault(&t.EndStep, steps)
	if t.Timesteps != Subsample && t.Timesteps != Renoise {
		return invalid("Timesteps", "unknown value %d", t.Timesteps)
	}
	if _, ok := t.Generator.(Noiser); t.Timesteps == Renoise && !ok {
		return invalid("Timesteps", "Renoise needs a generator with the method Noise; %T has none", t.Generator)
	}
	return firstError(
		inRange("FirstStep", float64(t.FirstStep), 0, float64(steps-1)),
		inRange("EndStep", float64(t.EndStep), float64(t.FirstStep+1), float64(steps)),
	)
}

func (t *Task) resolveGuards() error {
	if (len(t.Preserve.Prompts) == 0) != (t.Preserve.Weight == 0) {
		return invalid("Preserve", "needs both Prompts and a Weight")
	}
	if t.StopAt.Window != 0 && t.StopAt.Seeds != nil {
		return invalid("StopAt.Window", "has no meaning with validation seeds")
	}
	if t.StopAt.Seeds != nil && len(t.StopAt.Seeds) == 0 {
		return invalid("StopAt.Seeds", "a list that is given must not be empty")
	}
	setDefault(&t.StopAt.Window, 6)
	setDefault(&t.StopAt.Every, 5)
	return firstError(
		inRange("Drift", t.Drift, 0, math.MaxFloat32),
		inRange("Preserve.Weight", t.Preserve.Weight, 0, math.MaxFloat32),
		inRange("StopAt.P", t.StopAt.P, 0, 1-1e-9),
		inRange("StopAt.Window", float64(t.StopAt.Window), 1, math.MaxInt32),
		inRange("StopAt.Every", float64(t.StopAt.Every), 1, math.MaxInt32),
	)
}

// levels is the number of noise levels that steps are drawn from in place of the
// generator's steps, 0 if they are not.
func (t *Task) levels() int {
	if l, ok := t.Generator.(Leveler); ok && t.Timesteps == Renoise {
		return l.Levels()
	}
	return 0
}

// setDefault gives a field left at zero its default.
func setDefault[T int | float64](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// inRange returns an error unless low <= value <= high; NaN is in no range.
func inRange(field string, value, low, high float64) error {
	if value >= low && value <= high {
		return nil
	}
	if low == math.SmallestNonzeroFloat64 {
		return invalid(field, "must be positive and finite, not %g", value)
	}
	return invalid(field, "must be in [%g, %g], not %g", low, high, value)
}

// firstError returns the first error that is not nil.
func firstError(errs ...error) error {
	if k := slices.IndexFunc(errs, func(err error) bool { return err != nil }); k >= 0 {
		return errs[k]
	}
	return nil
}
