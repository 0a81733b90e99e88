package sana

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/lora"
)

// scripted is a Generator whose noise is a fixture's, in the order in which
// Distill asks for it, and whose only levels are the ones that the fixture drew.
type scripted struct {
	*Generator
	r      *reference
	t      *testing.T
	levels []int32 // of the updates
	asked  map[string]int
}

// Seeds of the training pictures in Distill; other seeds are of noise added again.
var scriptSeeds = []int64{-1, -2, -3}

func (s *scripted) Latents(seeds ...int64) (*tensors.Tensor, error) {
	if len(seeds) == 1 && seeds[0] == 0 && s.asked["trace"] == 0 {
		s.asked["trace"]++ // to see the shape
		return s.Generator.Latents(seeds...)
	}
	require.Len(s.t, seeds, 1)
	if seeds[0] < 0 {
		return s.r.Tensor(s.t, fmt.Sprintf("in.train.noise%d", -1-seeds[0])), nil
	}
	s.asked["renoise"]++
	return s.r.Tensor(s.t, fmt.Sprintf("in.train.renoise%d", s.asked["renoise"]-1)), nil
}

func (s *scripted) Encode(context.Context, string) (dualprocess.Inputs, error) {
	var list dualprocess.Inputs
	for _, x := range s.r.cond(s.t, s.Generator) {
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
	picture := AddScalar(MulScalar(TransposeAllAxes(image, 0, 3, 1, 2), 2), -1)
	return []*Node{MulScalar(ReduceMean(Square(Sub(picture, questions[0][0])), 1, 2, 3), -d.scale)}
}

// testDistill makes the fixtures' training of the second mode by Distill itself, at
// the rate at which three updates move the losses. (In the first mode the paper's
// reference mixes two grids of noise levels, which no Generator does.) Activations
// are recomputed here, where the trainer keeps them.
func (r *reference) testDistill(t *testing.T) {
	const mode, lr = "full_intended", "0.01"
	o := r.paper(r.about.Spec.Steps, r.about.Spec.TrainGuidance)
	o.Checkpoint = backends.CheckpointOn
	g := r.open(t, o)
	start := r.adapter(t, g)
	s := &scripted{Generator: g, r: r, t: t, asked: map[string]int{}}
	for k := range trainUpdates {
		s.levels = append(s.levels, int32(r.level(t, k)))
	}
	updates := 0
	task := dualprocess.Task{
		Runtime: r.rt, Generator: s, Verifier: distance{r.Tensor(t, "in.target"), r.about.LossScale},
		Prompts: []string{r.about.Prompt}, Questions: []dualprocess.Question{{Text: "Is it so?", Answer: "Yes"}},
		Start: start, Weight: trainWeight, LearningRate: number(lr), Updates: trainUpdates, Seeds: scriptSeeds,
		Timesteps: dualprocess.Renoise, Seed: seedOf(t, []int{0, 1, 2}, trainUpdates),
		Progress: func(u dualprocess.Update) {
			require.Equal(t, u.Number-1, u.Step)
			r.Compare(t, fmt.Sprintf("train.%s.lr%s.step%d.loss", mode, lr, u.Number-1), []float32{float32(u.Loss)}, fastTolerance)
			updates++
		},
	}
	a, err := dualprocess.Distill(t.Context(), task)
	require.NoError(t, err)
	require.Equal(t, trainUpdates, updates)
	require.NotEqual(t, start, a)
}

// seedOf finds a seed with which Distill draws the given steps out of so many.
func seedOf(t *testing.T, steps []int, of int) int64 {
	key := fnv.New64a()
	key.Write([]byte("step"))
	for seed := range int64(1e7) {
		rng := rand.New(rand.NewPCG(uint64(seed), key.Sum64()))
		fits := true
		for _, step := range steps {
			fits = fits && rng.IntN(of) == step
		}
		if fits {
			return seed
		}
	}
	require.Fail(t, "no seed draws these steps")
	return 0
}
