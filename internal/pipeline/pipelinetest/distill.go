package pipelinetest

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/lora"
)

// scripted is a Generator whose noise is a fixture's, in the order in which
// Distill asks for it, and whose only levels are the ones that the fixture drew.
type scripted struct {
	Generator
	r      *Reference
	t      *testing.T
	cond   dualprocess.Inputs
	levels []int32 // of the updates
	asked  map[string]int
}

// scriptedBack is scripted for a generator whose sampler looks back.
type scriptedBack struct {
	*scripted
	after func(latents, prediction, previous, i *Node) *Node
}

func (s scriptedBack) StepAfter(latents, prediction, previous, i *Node) *Node {
	return s.after(latents, prediction, previous, i)
}

// script makes a generator scripted.
func (r *Reference) script(t *testing.T, g Generator, cond dualprocess.Inputs, levels []int32) Generator {
	s := &scripted{Generator: g, r: r, t: t, cond: cond, levels: levels, asked: map[string]int{}}
	if m, ok := g.(dualprocess.Multistepper); ok {
		return scriptedBack{s, m.StepAfter}
	}
	return s
}

// scriptSeeds are those of the training pictures in Distill; other seeds are of noise
// added again.
func scriptSeeds() []int64 { return []int64{-1, -2, -3} }

func (s *scripted) Latents(seeds ...int64) (*tensors.Tensor, error) {
	if len(seeds) == 1 && seeds[0] == 0 && s.asked["trace"] == 0 {
		s.asked["trace"]++ // to see the shape
		return s.Generator.Latents(seeds...)
	}
	require.Len(s.t, seeds, 1)
	if seeds[0] < 0 {
		return s.r.start(s.t, fmt.Sprintf("in.train.noise%d", -1-seeds[0]), s.Steps()), nil
	}
	s.asked["renoise"]++
	return s.r.start(s.t, fmt.Sprintf("in.train.renoise%d", s.asked["renoise"]-1), s.Steps()), nil
}

func (s *scripted) Encode(context.Context, string) (dualprocess.Inputs, error) {
	var list dualprocess.Inputs
	for _, x := range s.cond {
		c, err := x.LocalClone()
		require.NoError(s.t, err)
		list = append(list, c)
	}
	return list, nil
}

// Levels are those of the updates.
func (s *scripted) Levels() int { return len(s.levels) }

// index maps a step or scripted level to the generator's own.
func (s *scripted) index(i *Node) *Node {
	table := make([]int32, s.Steps(), s.Steps()+len(s.levels))
	for k := range table {
		table[k] = int32(k)
	}
	for _, level := range s.levels {
		table = append(table, int32(s.Steps())+level)
	}
	return Reshape(Gather(Const(i.Graph(), table), Reshape(i, 1, 1)))
}

func (s *scripted) Predict(d *lora.Delta, latents, i *Node, cond []*Node) *Node {
	return s.Generator.Predict(d, latents, s.index(i), cond)
}

func (s *scripted) Clean(latents, prediction, i *Node) *Node {
	return s.Generator.Clean(latents, prediction, s.index(i))
}

func (s *scripted) Noise(clean, noise, i *Node) *Node {
	return s.Generator.Noise(clean, noise, s.index(i))
}

// distance is a Verifier that wants pictures to be a target: its log-probability
// is minus the mean squared distance in [-1, 1], scaled.
type distance struct {
	target *tensors.Tensor
	scale  float64
}

func (d distance) Prepare(context.Context, dualprocess.Question, int, int) (dualprocess.Inputs, error) {
	c, err := d.target.LocalClone()
	return dualprocess.Inputs{c}, err
}

func (d distance) LogProbs(image *Node, questions [][]*Node) []*Node {
	return []*Node{MulScalar(ReduceMean(Square(Sub(fixtureForm(image), questions[0][0])), 1, 2, 3), -d.scale)}
}

// Distilled is a training of the fixture that Distill makes itself.
type Distilled struct {
	Mode, Rate string  // as in the fixture's keys
	Scale      float64 // of the loss
	Tolerance  float64 // of the losses
	Levels     []int32 // that noise is added for, per update; nil = the fixture's steps
}

// Distill makes a training of the fixture by dualprocess.Distill from the start
// adapter, compares steps and losses, and returns the adapter.
func (r *Reference) Distill(t *testing.T, g Generator, cond dualprocess.Inputs, start *lora.Adapter, d Distilled) *lora.Adapter {
	task := dualprocess.Task{
		Runtime: r.Runtime, Generator: r.script(t, g, cond, d.Levels), Verifier: distance{r.Tensor(t, "in.target"), d.Scale},
		Prompts: []string{r.About.Prompt}, Questions: []dualprocess.Question{{Text: "Is it so?", Answer: "Yes"}},
		Start: start, Weight: TrainWeight, LearningRate: Number(d.Rate), Updates: TrainUpdates, Seeds: scriptSeeds(),
	}
	drawn, of := r.About.Spec.TrainSteps, g.Steps()
	if d.Levels != nil {
		task.Timesteps, drawn, of = dualprocess.Renoise, []int{0, 1, 2}, TrainUpdates
	}
	task.Seed = seedOf(t, drawn, of)
	updates := 0
	task.Progress = func(u dualprocess.Update) {
		require.Equal(t, drawn[u.Number-1], u.Step)
		r.Compare(t, fmt.Sprintf("train.%s.lr%s.step%d.loss", d.Mode, d.Rate, u.Number-1), []float32{float32(u.Loss)}, d.Tolerance)
		updates++
	}
	a, err := dualprocess.Distill(t.Context(), task)
	require.NoError(t, err)
	require.Equal(t, TrainUpdates, updates)
	return a
}

// seedOf finds a seed with which Distill draws the given steps out of so many.
func seedOf(t *testing.T, steps []int, of int) int64 {
	key := fnv.New64a()
	key.Write([]byte("step"))
	for seed := range int64(1e8) {
		rng := rand.New(rand.NewPCG(uint64(seed), key.Sum64()))
		fits := true
		for k := 0; fits && k < len(steps); k++ {
			fits = rng.IntN(of) == steps[k]
		}
		if fits {
			return seed
		}
	}
	require.Fail(t, "no seed draws these steps")
	return 0
}
