package pipelinetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
)

// Newer is a fixture of one of the newer generators, which all have the same keys but
// for those of their text encoders, of single modules and of their autoencoders.
type Newer struct {
	*Reference

	// Open opens the fixture's model.
	Open func(t *testing.T, s Setting) Generator
	// Schedule is what the generator's schedule says of step or level i: the values
	// of keys that end in "t", "model_t", "sigma", and of "sched_timesteps" and
	// "sched_sigmas" of all steps.
	Schedule func(g Generator, quantity string, i int) []float32
	// Encoded are the keys of what Encode returns for the fixture's own prompt, and then
	// for the negative one. A backend that compiles for long gets those in place of a
	// text encoder; nil = it has to compile that, too.
	Encoded []string

	opened map[Setting]Generator
	conds  map[string]dualprocess.Inputs
}

// Setting is how a generator of a Newer is opened.
type Setting struct {
	Kind          string // of the sampling: "ref", or what else the fixture has
	Height, Width int
	Steps         int
	Guidance      float64
	At            float32 // where the only step is, in the terms of the fixture's scheduler, if it has another place; else 0
}

// setting is that of a sampling of pictures of the fixture's size.
func (n *Newer) setting(kind string, steps int, guidance float64) Setting {
	return Setting{Kind: kind, Height: n.About.Spec.Height, Width: n.About.Spec.Width, Steps: steps, Guidance: guidance}
}

// At returns a generator with one step, at the place of a call of the transformer.
func (n *Newer) At(t *testing.T, call string) Generator {
	guidance, at := n.About.Spec.Guidance, float32(0)
	if n.Has(call + ".guidance_scale") {
		scale, _ := n.Floats(t, call+".guidance_scale")
		guidance = float64(scale[0])
	}
	values, _ := n.Floats(t, call+".t")
	at = values[0]
	s := n.setting("ref", 1, guidance)
	s.At = at
	return n.open(t, s)
}

// open opens a generator, once for each setting.
func (n *Newer) open(t *testing.T, s Setting) Generator {
	if n.opened[s] == nil {
		if n.opened == nil {
			n.opened = map[Setting]Generator{}
		}
		n.opened[s] = n.Open(t, s)
	}
	return n.opened[s]
}

// train is the generator of the trainings.
func (n *Newer) train(t *testing.T) Generator {
	return n.open(t, n.setting("ref", n.About.Spec.Steps, n.About.Spec.TrainGuidance))
}

// Cond encodes a prompt, as a kind of sampling has it.
func (n *Newer) Cond(t *testing.T, g Generator, kind, prompt string) dualprocess.Inputs {
	count := len(g.(dualprocess.Conditioner).Conditions())
	key := fmt.Sprint(kind, count, prompt)
	if n.conds[key] == nil {
		if n.conds == nil {
			n.conds = map[string]dualprocess.Inputs{}
		}
		if n.part == golden.Essence && n.Encoded != nil && prompt == n.About.Prompt {
			for _, known := range n.Encoded[:count] {
				n.conds[key] = append(n.conds[key], n.Tensor(t, known))
			}
			return n.conds[key]
		}
		var err error
		n.conds[key], err = g.Encode(t.Context(), prompt)
		require.NoError(t, err)
	}
	return n.conds[key]
}

// cond encodes the fixture's own prompt.
func (n *Newer) cond(t *testing.T, g Generator) dualprocess.Inputs {
	return n.Cond(t, g, "ref", n.About.Prompt)
}

// TestCalls compares single calls of the transformer, for the prompt and for others.
func (n *Newer) TestCalls(t *testing.T) {
	for _, call := range []string{"fwd0", "fwd1"} {
		t.Run(call, func(t *testing.T) {
			g := n.At(t, call)
			n.compareStep(t, call+".", g, n.start(t, "in.fwd_latents", 1), 0, n.cond(t, g))
		})
	}
}

// TestPrompts compares the call of the transformer for other prompts.
func (n *Newer) TestPrompts(t *testing.T) {
	for name, prompt := range n.About.Spec.Prompts {
		if prefix := "prompts." + name + "."; n.HasAny(prefix) {
			t.Run(name, func(t *testing.T) {
				g := n.At(t, "fwd1")
				n.compareStep(t, prefix, g, n.start(t, "in.fwd_latents", 1), 0, n.Cond(t, g, "ref", prompt))
			})
		}
	}
}

// compareStep compares what the fixture holds about step i from latents under keys
// that begin with a prefix.
func (n *Newer) compareStep(t *testing.T, prefix string, g Generator, latents *tensors.Tensor, i int, cond dualprocess.Inputs) {
	got := golden.Run(t, n.Runtime, func(in []*Node) golden.Outputs {
		prediction := g.Predict(nil, in[0], in[1], in[2:])
		return golden.Outputs{"model_pred": prediction, "x0_latents": g.Clean(in[0], prediction, in[1])}
	}, Flatten(latents, int32(i), cond)...)
	for _, part := range []string{"model_pred", "x0_latents"} {
		if n.Has(prefix + part) {
			n.Compare(t, prefix+part, n.Shown(got[part]), n.Tolerance)
		}
	}
	n.compareSchedule(t, prefix, g, i)
}

// compareSchedule compares where step or level i is.
func (n *Newer) compareSchedule(t *testing.T, prefix string, g Generator, i int) {
	for _, quantity := range []string{"t", "model_t", "sigma"} {
		if n.Has(prefix + quantity) {
			n.Compare(t, prefix+quantity, n.Schedule(g, quantity, i), 2.4e-7)
		}
	}
}

// TestSampling compares full samplings: latents after every step, and pictures.
func (n *Newer) TestSampling(t *testing.T) {
	n.Samplings(t, func(t *testing.T, kind string, steps int) {
		g := n.open(t, n.setting(kind, steps, n.About.Spec.Guidance))
		latents, picture := n.Sampler(t, g, n.Cond(t, g, kind, n.About.Prompt), nil).Run(t, nil, 0)
		n.CompareSampling(t, kind, latents, picture, func(key, part string) {
			n.Compare(t, key, n.Schedule(g, part, 0), 1.2e-7)
		})
	})
}

// TestSteps compares every step of a sampling.
func (n *Newer) TestSteps(t *testing.T) {
	steps := n.SampledSteps(t)
	g := n.open(t, n.setting("ref", steps, n.About.Spec.Guidance))
	cond, latents := n.cond(t, g), n.start(t, "in.latents", steps)
	after := n.Sampler(t, g, cond, nil).Denoise(t, latents, steps, 0, nil)
	for i := range steps {
		prefix := fmt.Sprintf("steps.n%d.step%d.", steps, i)
		if n.Has(prefix + "x_t") {
			n.Compare(t, prefix+"x_t", n.Shown(latents), n.Tolerance)
		}
		n.compareStep(t, prefix, g, latents, i, cond)
		latents = after[i]
	}
}

// TestSize compares the sampling of a picture of another size.
func (n *Newer) TestSize(t *testing.T) {
	s := n.setting("ref", min(n.About.Spec.Steps, 4), n.About.Spec.Guidance)
	s.Height, s.Width = n.About.Spec.Size2[0], n.About.Spec.Size2[1]
	g := n.open(t, s)
	n.compareSampled(t, "size2", g, n.cond(t, g))
	if n.Has("size2.sched_sigmas") {
		n.Compare(t, "size2.sched_sigmas", n.Schedule(g, "sched_sigmas", 0), 1.2e-7)
	}
}

// TestBatch compares the sampling of two prompts at once.
func (n *Newer) TestBatch(t *testing.T) {
	g := n.open(t, n.setting("ref", min(n.About.Spec.Steps, 4), n.About.Spec.Guidance))
	first, second := n.cond(t, g), n.Cond(t, g, "ref", n.About.Spec.Prompts["second"])
	var both dualprocess.Inputs
	for k := range first {
		both = append(both, MustExecOnce(n.Runtime.Backend, func(in []*Node) *Node { return Concatenate(in, 0) }, first[k], second[k]))
	}
	n.compareSampled(t, "batch", g, both)
}

// compareSampled compares the prediction of the first step, the latents after the last
// one, and the picture, under keys of a name.
func (n *Newer) compareSampled(t *testing.T, name string, g Generator, cond dualprocess.Inputs) {
	start := n.start(t, "in."+name+"_latents", g.Steps())
	n.compareStep(t, name+".", g, start, 0, cond)
	after := n.Sampler(t, g, cond, nil).Denoise(t, start, g.Steps(), 0, nil)
	last := after[len(after)-1]
	if n.Has(name + ".latents") {
		n.Compare(t, name+".latents", n.Shown(last), n.Tolerance)
	}
	got := golden.Run(t, n.Runtime, func(in []*Node) golden.Outputs {
		return golden.Outputs{"picture": Picture(g, in[0])}
	}, last)
	n.comparePicture(t, name+".image_raw", got.Floats(t, "picture"))
}

// TestLatentGradients compares gradients with respect to the start noise.
func (n *Newer) TestLatentGradients(t *testing.T) {
	n.LatentGradients(t, func(t *testing.T, steps int) (Generator, dualprocess.Inputs, func(string)) {
		g := n.open(t, n.setting("ref", steps, n.About.Spec.TrainGuidance))
		return g, n.cond(t, g), func(key string) {
			n.Compare(t, key, slices.Concat(n.Schedule(g, "t", 0), n.Schedule(g, "t", 1)), 1e-6)
		}
	})
}

// hasRate says whether the fixture has the losses of a training at a rate.
func (n *Newer) hasRate(mode, rate string) bool {
	return n.HasAny(strings.Join([]string{"train", mode, "lr" + rate}, ".") + ".step")
}
