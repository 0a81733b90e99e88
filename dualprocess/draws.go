package dualprocess

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
)

// stream returns the random numbers that a seed gives for one purpose. Every
// purpose has a stream of its own, so that switching a guard on does not shift
// what the others draw.
func stream(seed int64, purpose string) random {
	key := fnv.New64a()
	key.Write([]byte(purpose)) // a hash never fails
	source := rand.NewPCG(uint64(seed), key.Sum64())
	return random{rand.New(source), source}
}

// random is a stream of random numbers whose place can be kept.
type random struct {
	*rand.Rand
	source *rand.PCG // all the state that there is
}

// newSeed draws the seed of one picture. 32 bits are enough, and can be typed.
func (r random) newSeed() int64 { return int64(r.Uint32()) }

// draws decides at random, or in turn, what each update works on.
type draws struct {
	seeds     []int64
	order     SeedOrder
	prompts   int // rows of the tables of conditions
	preserved int // further rows, of the preserved prompts

	pictures, kept int // handed out so far

	step, keptStep, seed, keptSeed, noise random
}

func newDraws(t Task) draws {
	return draws{
		seeds: t.Seeds, order: t.SeedOrder, prompts: len(t.Prompts), preserved: len(t.Preserve.Prompts),
		step: stream(t.Seed, "step"), keptStep: stream(t.Seed, "preserved step"),
		seed: stream(t.Seed, "seed order"), keptSeed: stream(t.Seed, "preserved seed"), noise: stream(t.Seed, "renoise"),
	}
}

// steps draws the steps of one update: all its pictures share one of those that
// the task allows, all preserved ones another, so that micro-batches add up to
// exactly the bigger batch. Preserved ones are denoised to their step, which so is
// never a level, and any step where several are unrolled from the drawn one.
func (d *draws) steps(t *Task) (step, keptStep int) {
	first, end := t.FirstStep, t.EndStep
	step = first + d.step.IntN(end-first)
	if t.levels() > 0 || t.Unroll > 0 {
		first, end = 0, t.Generator.Steps()
	}
	return step, first + d.keptStep.IntN(end-first)
}

// next returns the seeds and prompts of the next pictures. Each time that seeds
// and prompts have both come round, the seeds shift by one, so that every prompt
// meets every seed even if one number divides the other.
func (d *draws) next(batch int) (seeds []int64, rows []int32) {
	round := d.prompts / gcd(d.prompts, len(d.seeds)) * len(d.seeds)
	for range batch {
		k := (d.pictures + d.pictures/round) % len(d.seeds)
		if d.order == Drawn {
			k = d.seed.IntN(len(d.seeds))
		}
		seeds = append(seeds, d.seeds[k])
		rows = append(rows, int32(d.pictures%d.prompts))
		d.pictures++
	}
	return seeds, rows
}

// nextKept returns the seeds and prompts of the next preserved pictures.
func (d *draws) nextKept(batch int) (seeds []int64, rows []int32) {
	for range batch {
		seeds = append(seeds, d.keptSeed.newSeed())
		rows = append(rows, int32(d.prompts+d.kept%d.preserved))
		d.kept++
	}
	return seeds, rows
}

// newSeeds returns seeds of noise that is added again.
func (d *draws) newSeeds(batch int) []int64 {
	seeds := make([]int64, batch)
	for k := range seeds {
		seeds[k] = d.noise.newSeed()
	}
	return seeds
}

// place is where all draws are.
type place struct {
	Pictures int      `json:"pictures"`
	Kept     int      `json:"kept"`
	Streams  [][]byte `json:"streams"`
}

// streams are those that go on from update to update.
func (d *draws) streams() []random {
	return []random{d.step, d.keptStep, d.seed, d.keptSeed, d.noise}
}

// place returns where they are now.
func (d *draws) place() (place, error) {
	p := place{Pictures: d.pictures, Kept: d.kept}
	for _, s := range d.streams() {
		text, err := s.source.MarshalBinary()
		if err != nil {
			return place{}, err
		}
		p.Streams = append(p.Streams, text)
	}
	return p, nil
}

// goTo puts them where they were.
func (d *draws) goTo(p place) error {
	if len(p.Streams) != len(d.streams()) || p.Pictures < 0 || p.Kept < 0 {
		return fmt.Errorf("%d random streams, want %d", len(p.Streams), len(d.streams()))
	}
	for k, s := range d.streams() {
		if err := s.source.UnmarshalBinary(p.Streams[k]); err != nil {
			return err
		}
	}
	d.pictures, d.kept = p.Pictures, p.Kept
	return nil
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
