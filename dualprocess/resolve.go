package dualprocess

import (
	"fmt"
	"math"

	"github.com/dualprocess/dualprocess-go/lora"
)

// resolved returns the task with every default filled in, or an error that names
// the first field at fault. Nothing has been computed yet by then.
func (t Task) resolved() (Task, error) {
	for _, check := range []func(*Task) error{
		(*Task).resolveModels, (*Task).resolveOptimizer, (*Task).resolveSeeds, (*Task).resolveSteps, (*Task).resolveGuards,
		(*Task).resolveKept,
	} {
		if err := check(&t); err != nil {
			return t, err
		}
	}
	return t, nil
}

func (t *Task) resolveModels() error {
	if err := firstError(
		checkRuntime(t.Runtime),
		checkModel("Generator", t.Runtime, t.Generator),
		t.checkVerifier(),
		checkPrompts("Prompts", t.Prompts),
		checkQuestions("Questions", t.Questions, t.Prompts...),
	); err != nil {
		return err
	}
	return t.resolveAdapter()
}

// resolveAdapter fills in the settings of a new adapter and checks them, all but
// the targets, which are only known with the generator's layers.
func (t *Task) resolveAdapter() error {
	if t.Start != nil {
		switch a := t.Adapter; {
		case a.Rank != 0 || a.Alpha != 0 || a.Targets != nil || a.Prefix != "":
			return invalid("Adapter", "cannot configure an adapter that Start already has")
		case len(t.Start.Layers()) == 0:
			return invalid("Start", "has no layers")
		}
		return nil
	}
	suggested := preset(t.Generator)
	if t.Adapter.Targets == nil {
		t.Adapter.Targets = suggested.Targets
	}
	if t.Adapter.Prefix == "" {
		t.Adapter.Prefix = suggested.Prefix
	}
	if t.Adapter.Seed == 0 {
		t.Adapter.Seed = t.Seed
	}
	if t.Adapter.Rank > mostRank {
		return invalid("Adapter.Rank", "must be at most %d, not %d", mostRank, t.Adapter.Rank)
	}
	trial := t.Adapter
	trial.Targets = nil
	_, err := lora.New(trial, []lora.Layer{{Name: "any", In: 1, Out: 1}})
	return invalidBecause("Adapter", err)
}

// preset returns the generator's suggestions, or none.
func preset(g Generator) Preset {
	if p, ok := g.(Presetter); ok {
		return p.Preset()
	}
	return Preset{}
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
		inRange("Batch", float64(t.Batch), 1, mostBatch),
		inRange("Accumulate", float64(t.Accumulate), 1, mostAccumulate),
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
	pictures := float64(t.Updates) * float64(t.Batch) * float64(t.Accumulate)
	if t.SeedCount == 0 && pictures > mostSeeds {
		return invalid("SeedCount", "must be given: the updates make %g pictures, and more than %d seeds are not drawn", pictures, mostSeeds)
	}
	setDefault(&t.SeedCount, int(pictures))
	if err := inRange("SeedCount", float64(t.SeedCount), 1, mostSeeds); err != nil {
		return err
	}
	random := stream(t.Seed, "seeds")
	for range t.SeedCount {
		t.Seeds = append(t.Seeds, random.newSeed())
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
	} else if t.FirstStep == 0 && t.EndStep == 0 && t.Unroll == 0 {
		suggested := preset(t.Generator)
		t.FirstStep, t.EndStep = suggested.FirstStep, suggested.EndStep
	}
	if t.Timesteps != Subsample && t.Timesteps != Renoise {
		return invalid("Timesteps", "unknown value %d", t.Timesteps)
	}
	if _, ok := t.Generator.(Noiser); t.Timesteps == Renoise && !ok {
		return invalid("Timesteps", "Renoise needs a generator with the method Noise; %T has none", t.Generator)
	}
	if err := firstError(t.checkStepWeights(steps), inRange("Unroll", float64(t.Unroll), 0, float64(steps))); err != nil {
		return err
	}
	if t.Unroll > 0 {
		if t.Timesteps != Subsample {
			return invalid("Unroll", "goes with Subsample alone")
		}
		steps -= t.Unroll - 1 // that can be drawn
		if t.FirstStep == 0 && t.EndStep == 0 {
			t.FirstStep = steps - 1
		}
	}
	setDefault(&t.EndStep, steps)
	return firstError(
		inRange("FirstStep", float64(t.FirstStep), 0, float64(steps-1)),
		inRange("EndStep", float64(t.EndStep), float64(t.FirstStep+1), float64(steps)),
	)
}

// checkStepWeights checks the weights of so many steps or levels.
func (t *Task) checkStepWeights(steps int) error {
	if t.StepWeights == nil {
		return nil
	}
	if len(t.StepWeights) != steps {
		return invalid("StepWeights", "must be one for each of the %d steps, not %d", steps, len(t.StepWeights))
	}
	for k, w := range t.StepWeights {
		if err := inRange(fmt.Sprintf("StepWeights[%d]", k), w, 0, math.MaxFloat32); err != nil {
			return err
		}
	}
	return nil
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
	if t.StopAt.Hacking && !t.Judge.given() && !t.Bounds.given() {
		return invalid("StopAt.Hacking", "needs Judge or Bounds")
	}
	if t.Anchor.Weight == 0 && t.Anchor.Every != 0 {
		return invalid("Anchor", "needs a Weight")
	}
	setDefault(&t.StopAt.Window, 6)
	setDefault(&t.StopAt.Every, 5)
	setDefault(&t.Anchor.Every, 10)
	return firstError(
		t.Judge.resolve(t),
		t.Bounds.check(t),
		inRange("Drift", t.Drift, 0, math.MaxFloat32),
		inRange("Anchor.Weight", t.Anchor.Weight, 0, math.MaxFloat32),
		inRange("Anchor.Every", float64(t.Anchor.Every), 1, math.MaxInt32),
		inRange("Preserve.Weight", t.Preserve.Weight, 0, math.MaxFloat32),
		inRange("StopAt.P", t.StopAt.P, 0, 1-1e-9),
		inRange("StopAt.Window", float64(t.StopAt.Window), 1, math.MaxInt32),
		inRange("StopAt.Every", float64(t.StopAt.Every), 1, math.MaxInt32),
	)
}

// resolveKept checks checkpoints and snapshots.
func (t *Task) resolveKept() error {
	c, s := &t.Checkpoint, &t.Snapshots
	if c.Folder == "" && c.Every != 0 {
		return invalid("Checkpoint.Folder", "must be given")
	}
	if s.Do == nil && (s.Every != 0 || s.Prompts != nil || s.Seeds != nil) {
		return invalid("Snapshots.Do", "must be given")
	}
	if s.Do == nil || s.Seeds == nil {
		s.Prompts = nil
	} else if s.Prompts == nil {
		s.Prompts = t.Prompts
	}
	setDefault(&c.Every, 10)
	setDefault(&s.Every, 10)
	return firstError(
		inRange("Checkpoint.Every", float64(c.Every), 1, math.MaxInt32),
		inRange("Snapshots.Every", float64(s.Every), 1, math.MaxInt32),
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
