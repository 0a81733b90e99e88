package sanasprint

import (
	"fmt"
	"os"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/pipeline/pipelinetest"
	"github.com/dualprocess/dualprocess-go/lora"
)

// family is what the fixtures call the model.
const family = "sana_sprint"

// Tolerances of the fixtures' README, relative to the largest element.
const (
	tolerance         = 1e-4 // outputs
	gradientTolerance = 3e-4
	fastTolerance     = 2e-3 // of losses at a rate at which three updates move them
)

// reference is a fixture: what diffusers and peft computed.
type reference struct {
	*pipelinetest.Newer
	config config
}

// TestGolden compares everything that the fixtures hold about SANA-Sprint.
func TestGolden(t *testing.T) {
	pipelinetest.Golden(t, family, func(x *pipelinetest.Reference) []pipelinetest.Group {
		x.Tolerance, x.GradientTolerance, x.Trimmed, x.Kinks = tolerance, gradientTolerance, true, true
		r := newReference(t, x)
		return []pipelinetest.Group{
			{Name: "text", Test: r.testText}, {Name: "sched", Test: r.testSchedule}, {Name: "fwd", Test: r.TestCalls},
			{Name: "modules", Test: r.testModules}, {Name: "prompts", Test: r.TestPrompts}, {Name: "sample", Test: r.TestSampling},
			{Name: "steps", Test: r.TestSteps}, {Name: "size2", Test: r.TestSize}, {Name: "batch", Test: r.TestBatch},
			{Name: "latgrad", Test: r.TestLatentGradients}, {Name: "lora", Test: r.testLora},
			{Name: "train", Test: func(t *testing.T) { r.TestTraining(t, fastTolerance) }},
			{Name: "distill", Test: func(t *testing.T) { r.TestDistill(t, fastTolerance, r.open) }},
			{Name: "every key", Test: func(t *testing.T) {
				r.Covered(t, "text.gemma.", "vae.", "in.") // the packages sanabase, text and autoencoder, and inputs
			}},
		}
	})
}

func newReference(t *testing.T, x *pipelinetest.Reference) *reference {
	c, err := readConfig(os.DirFS(x.Path("model")))
	require.NoError(t, err)
	r := &reference{&pipelinetest.Newer{Reference: x}, c}
	x.State = pipelinetest.State{Start: r.start, Part: first, Scale: float32(c.Scheduler.SigmaData)}
	r.Newer.Open = func(t *testing.T, s pipelinetest.Setting) pipelinetest.Generator {
		return r.open(t, s, backends.CheckpointAuto)
	}
	r.Newer.Schedule = func(g pipelinetest.Generator, quantity string, i int) []float32 {
		return r.schedule(g.(*Generator).schedule, quantity, i)
	}
	return r
}

// open opens the fixture's model.
func (r *reference) open(t *testing.T, s pipelinetest.Setting, c backends.Checkpointing) pipelinetest.Generator {
	o := Options{Height: s.Height, Width: s.Width, Steps: s.Steps, Guidance: &s.Guidance, TextTokens: r.About.Spec.Seq, Checkpoint: c}
	switch s.Kind {
	case "ref":
	case "plain":
		o.Instruction = new("")
	default:
		var guidance int
		_, err := fmt.Sscanf(s.Kind, "guidance%d", &guidance)
		require.NoError(t, err, "unknown sampling")
		o.Guidance = new(float64(guidance))
	}
	g, err := Open(t.Context(), r.Runtime, r.Path("model"), o)
	require.NoError(t, err)
	if s.At != 0 {
		g.schedule.angles[0] = s.At
	}
	return g
}

// start joins noise, by its key, with that of the steps to come, which in the fixture
// is the same for all.
func (r *reference) start(t *testing.T, key string, steps int) *tensors.Tensor {
	x, shape := r.Floats(t, key)
	to := strings.Replace(strings.Replace(key, "latents", "step_noise", 1), "train.noise", "train.step_noise", 1)
	if !r.Has(to) {
		to = key // of a single step, or of noise that is added again
	}
	noise, _ := r.Floats(t, to)
	row := len(x) / shape[0]
	var all []float32
	for b := range shape[0] {
		all = append(all, x[b*row:][:row]...)
		for range steps - 1 {
			all = append(all, noise[b*row:][:row]...)
		}
	}
	return tensors.FromFlatDataAndDimensions(all, append([]int{shape[0], steps}, shape[1:]...)...)
}

// first takes out of latents those that are denoised.
func first(x *tensors.Tensor) []float32 {
	d, values := x.Shape().Dimensions, tensors.MustCopyFlatData[float32](x)
	row := len(values) / d[0]
	var out []float32
	for b := range d[0] {
		out = append(out, values[b*row:][:row/d[1]]...)
	}
	return out
}

// testLora compares pictures with the adapter, and writes files for other programs.
func (r *reference) testLora(t *testing.T) {
	r.TestLora(t, func(t *testing.T, _ *pipelinetest.Sampler, start *lora.Adapter, _ []lora.Layer) {
		r.Write(t, start, map[string]lora.SaveOptions{"diffusers": {}, "baked": {Baked: true}})
	})
}

// schedule is what a schedule says about step or level i.
func (r *reference) schedule(s trigFlow, quantity string, i int) []float32 {
	switch quantity {
	case "t":
		return s.angles[i : i+1]
	case "model_t":
		return []float32{float32(flowTime(float64(s.angles[i])))}
	case "sched_timesteps":
		return append(s.angles[:1:1], s.next...)
	}
	return nil
}

func (r *reference) testSchedule(t *testing.T) {
	for _, key := range r.Keys() {
		var n int
		var got []float32
		if k, _ := fmt.Sscanf(key, "sched.pipe.n%d.timesteps", &n); k == 1 {
			got = stepAngles(n)
		} else if k, _ := fmt.Sscanf(key, "sched.train%d.timesteps", &n); k == 1 {
			s := newTrigFlow(1, n)
			got = s.angles[1:]
		} else {
			continue
		}
		t.Run(key, func(t *testing.T) { r.Compare(t, key, got, 1.2e-7) })
	}
}

// testModules compares every module's output in a call of the transformer, and what it
// is told.
func (r *reference) testModules(t *testing.T) {
	for _, call := range []string{"fwd0", "fwd1"} {
		g := r.At(t, call).(*Generator)
		got := golden.Run(t, r.Runtime, func(in []*Node) golden.Outputs {
			f := nn.Pass{Recorder: &nn.Recorder{}}
			x, i := denoised(in[0]), in[1]
			g.predict(f, x, i, in[2:])
			out := r.Recorded("fwd1.mod.", f.Recorder, "")
			out["input"] = Mul(x, at(g.schedule.angles, flowLength, i))
			return out
		}, pipelinetest.Flatten(r.start(t, "in.fwd_latents", 1), int32(0), r.Cond(t, g, "ref", r.About.Prompt))...)
		r.Compare(t, call+".model_input", got.Floats(t, "input"), tolerance)
		guidance := float32(*g.options.Guidance * r.config.Transformer.GuidanceScale)
		r.Compare(t, call+".model_guidance", []float32{guidance}, 1e-7)
		if call == "fwd1" {
			r.Modules(t, "fwd1.mod.", got, tolerance, pipelinetest.ChannelsFirst)
		}
	}
}

// testText compares what the pipeline makes of prompts, with and without the
// instruction.
func (r *reference) testText(t *testing.T) {
	spec := r.About.Spec
	for _, key := range r.Keys() {
		rest, ok := strings.CutPrefix(key, "text.sana.embeds_")
		if !ok {
			continue
		}
		kind, name, _ := strings.Cut(rest, "_")
		prompt := r.About.Prompt
		if name != "" {
			prompt = spec.Prompts[name]
		}
		kind = map[string]string{"chi": "ref", "plain": "plain"}[kind]
		g := r.Newer.Open(t, pipelinetest.Setting{Kind: kind, Height: spec.Height, Width: spec.Width, Steps: 1, Guidance: spec.Guidance})
		cond := r.Cond(t, g, kind, prompt)
		mask := tensors.MustCopyFlatData[float32](cond[1])
		for k, word := range r.Ints(t, "text.sana.mask_"+rest) {
			require.Equal(t, float32(word), mask[k])
		}
		want, shape := r.Floats(t, key)
		got := tensors.MustCopyFlatData[float32](cond[0])
		for k := range got {
			if mask[k/shape[len(shape)-1]] == 0 { // padding, whose states have no meaning
				got[k] = want[k]
			}
		}
		r.Compare(t, key, got, tolerance)
	}
}
