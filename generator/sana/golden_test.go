package sana

import (
	"fmt"
	"os"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/pipeline"
	"github.com/dualprocess/dualprocess-go/internal/pipeline/pipelinetest"
)

// family is what the fixtures call the model.
const family = "sana"

// Tolerances of the fixtures' README, relative to the largest element.
const (
	tolerance         = 2e-4 // outputs
	gradientTolerance = 5e-4
)

// reference is a fixture: what diffusers, peft and the paper's code computed.
type reference struct {
	*pipelinetest.Reference
	conds map[string]dualprocess.Inputs // of the prompt, by the generator's settings
}

// TestGolden compares everything that the fixtures hold about Sana.
func TestGolden(t *testing.T) {
	pipelinetest.Golden(t, family, func(x *pipelinetest.Reference) []pipelinetest.Group {
		x.Tolerance, x.GradientTolerance, x.Trimmed, x.Kinks = tolerance, gradientTolerance, true, true
		r := &reference{x, map[string]dualprocess.Inputs{}}
		return []pipelinetest.Group{
			{Name: "text", Test: r.testText}, {Name: "sched", Test: r.testSchedule}, {Name: "fwd", Test: r.testForward},
			{Name: "sample", Test: r.testSampling}, {Name: "latgrad", Test: r.testLatentGradients}, {Name: "lora", Test: r.testLora},
			{Name: "train", Test: r.testTraining, Essential: true}, {Name: "distill", Test: r.testDistill}, {Name: "extra", Test: r.testExtra}, {Name: "every key", Test: func(t *testing.T) {
				// But for what the packages sanabase, text and autoencoder compare, and inputs.
				r.Covered(t, "text.gemma.", "vae.", "in.")
			}},
		}
	})
}

// paper are the settings of the paper's reference: Euler's steps without a shift,
// and no instruction.
func (r *reference) paper(steps int, guidance float64) Options {
	return Options{Steps: steps, Guidance: &guidance, Solver: Euler, Shift: 1, Instruction: new("")}
}

// open opens the fixture's model at the size of its pictures.
func (r *reference) open(t *testing.T, o Options) *Generator {
	o.Height, o.Width, o.TextTokens = r.About.Spec.Height, r.About.Spec.Width, r.About.Spec.Seq
	g, err := Open(t.Context(), r.Runtime, r.Path("model"), o)
	require.NoError(t, err)
	return g
}

// cond encodes the fixture's prompt.
func (r *reference) cond(t *testing.T, g *Generator) dualprocess.Inputs {
	key := fmt.Sprint(pipeline.Guides(*g.options.Guidance), *g.options.Instruction)
	if r.conds[key] == nil {
		var err error
		r.conds[key], err = g.Encode(t.Context(), r.About.Prompt)
		require.NoError(t, err)
	}
	return r.conds[key]
}

// testText compares what the pipeline makes of prompts, with and without the
// instruction.
func (r *reference) testText(t *testing.T) {
	g := r.open(t, Options{Guidance: new(2.0)})
	chi, bare := r.cond(t, g), r.cond(t, r.open(t, r.paper(1, 2)))
	r.equalMasks(t, "text.sana.mask_chi", chi[1])
	r.equalMasks(t, "text.sana.neg_mask", chi[3])
	r.equalMasks(t, "text.sana.mask_train", bare[3], bare[1])
	r.compareWords(t, "text.sana.embeds_chi", chi[0], chi[1])
	r.compareWords(t, "text.sana.neg_embeds", chi[2], chi[3])
	r.compareWords(t, "text.sana.embeds_train", bare[2], bare[3], bare[0], bare[1])
}

func (r *reference) testSchedule(t *testing.T) {
	c, err := readConfig(os.DirFS(r.Path("model")))
	require.NoError(t, err)
	for _, key := range r.Keys() {
		var n, shift int
		var part string
		s := c.Scheduler
		var sigmas, times []float32
		switch text := strings.ReplaceAll(key, ".", " "); {
		case scan(text, "sched train%d %s", &n, &part):
			s.Shift = 1 // as the paper's reference has it
			sigmas = s.levels(n)
			times = pipeline.NewFlow(sigmas, nil, s.timestep).Times
		case scan(text, "sched euler_shift%d n%d %s", &shift, &n, &part):
			s.Shift = float64(shift)
			sigmas = s.eulerSigmas(n)
			times = pipeline.NewFlow(sigmas, nil, s.timestep).Times
		case scan(text, "sched dpm n%d %s", &n, &part):
			sigmas, times = s.dpmSigmas(n)
		default:
			continue
		}
		t.Run(key, func(t *testing.T) {
			got := append(sigmas, 0)
			if part == "timesteps" {
				got = times
			}
			r.Compare(t, key, got, 1.2e-7)
		})
	}
}

// scan says whether text has exactly the form of the format.
func scan(text, format string, values ...any) bool {
	n, err := fmt.Sscanf(text, format, values...)
	return err == nil && n == len(values)
}

// testForward compares one call of the transformer at two times, and in the
// second one every module's output.
func (r *reference) testForward(t *testing.T) {
	for _, call := range []string{"fwd0", "fwd1"} {
		guidance, _ := r.Floats(t, call+".guidance_scale")
		time, _ := r.Floats(t, call+".t")
		g := r.open(t, r.paper(1, float64(guidance[0])))
		cond := r.cond(t, g)
		got := golden.Run(t, r.Runtime, func(in []*Node) golden.Outputs {
			f := nn.Pass{Recorder: &nn.Recorder{}}
			prediction := g.predict(f, in[0], in[1], in[2:])
			out := r.Recorded("fwd1.mod.", f.Recorder, "")
			out["model_pred"] = prediction
			return out
		}, pipelinetest.Flatten(r.Tensor(t, "in.fwd_latents"), rowsOf(time[0], len(cond)/2), cond)...)
		r.Compare(t, call+".model_pred", got.Floats(t, "model_pred"), tolerance)
		if call == "fwd1" {
			r.Modules(t, "fwd1.mod.", got, tolerance, pipelinetest.ChannelsFirst)
		}
	}
}

// rowsOf repeats a time for every row of the transformer's batch.
func rowsOf(time float32, rows int) *tensors.Tensor {
	values := make([]float32, rows)
	for i := range values {
		values[i] = time
	}
	return tensors.FromFlatDataAndDimensions(values, rows)
}

// equalMasks compares masks, behind each other.
func (r *reference) equalMasks(t *testing.T, key string, masks ...*tensors.Tensor) {
	var got []int32
	for _, mask := range masks {
		for _, v := range tensors.MustCopyFlatData[float32](mask) {
			got = append(got, int32(v))
		}
	}
	require.Equal(t, r.Ints(t, key), got)
}

// compareWords compares states, [1, T, width] with a mask each, behind each other:
// those of padding have no meaning.
func (r *reference) compareWords(t *testing.T, key string, statesAndMasks ...*tensors.Tensor) {
	want, shape := r.Floats(t, key)
	width := shape[len(shape)-1]
	var got []float32
	for i := 0; i < len(statesAndMasks); i += 2 {
		mask := tensors.MustCopyFlatData[float32](statesAndMasks[i+1])
		for k, v := range tensors.MustCopyFlatData[float32](statesAndMasks[i]) {
			if mask[k/width] == 0 {
				v = want[len(got)]
			}
			got = append(got, v)
		}
	}
	r.Compare(t, key, got, tolerance)
}
