package flux

import (
	"fmt"
	"os"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/pipeline"
	"github.com/dualprocess/dualprocess-go/internal/pipeline/pipelinetest"
)

// family is what the fixtures call the model.
const family = "flux"

// Tolerances of the fixtures' README, relative to the largest element.
const (
	tolerance         = 2e-5 // outputs
	gradientTolerance = 1e-4
)

// reference is a fixture: what diffusers, peft and the paper's code computed.
type reference struct {
	*pipelinetest.Reference
	cond dualprocess.Inputs // of the prompt
}

// TestGolden compares everything that the fixtures hold about FLUX.
func TestGolden(t *testing.T) {
	pipelinetest.Golden(t, family, func(x *pipelinetest.Reference) []pipelinetest.Group {
		x.Tolerance, x.GradientTolerance = tolerance, gradientTolerance
		r := &reference{Reference: x}
		return []pipelinetest.Group{
			{Name: "sched", Test: r.testSchedule}, {Name: "fwd", Test: r.testForward}, {Name: "sample", Test: r.testSampling},
			{Name: "latgrad", Test: r.testLatentGradients}, {Name: "lora", Test: r.testLora}, {Name: "train", Test: r.testTraining, Essential: true},
			{Name: "distill", Test: r.testDistill}, {Name: "every key", Test: func(t *testing.T) {
				r.Covered(t, "text.t5.", "text.clip.", "vae.", "in.") // the packages text and autoencoder, and the inputs
			}},
		}
	})
}

// open opens the fixture's model at the size of its pictures.
func (r *reference) open(t *testing.T, o Options) *Generator {
	o.Height, o.Width, o.TextTokens = r.About.Spec.Height, r.About.Spec.Width, r.About.Spec.Seq
	g, err := Open(t.Context(), r.Runtime, r.Path("model"), o)
	require.NoError(t, err)
	if r.cond == nil {
		r.cond, err = g.Encode(t.Context(), r.About.Prompt)
		require.NoError(t, err)
	}
	return g
}

// static are the settings of the paper's reference: the scheduler's fixed shift.
func (r *reference) static(t *testing.T, steps int, guidance float64) Options {
	return Options{Steps: steps, StaticShift: true, Guidance: r.guided(t, guidance)}
}

// guided is the option for a guidance, which schnell does not have.
func (r *reference) guided(t *testing.T, guidance float64) *float64 {
	c, err := readConfig(os.DirFS(r.Path("model")))
	require.NoError(t, err)
	if !c.Transformer.Guidance {
		return nil
	}
	return &guidance
}

func (r *reference) testSchedule(t *testing.T) {
	c, err := readConfig(os.DirFS(r.Path("model")))
	require.NoError(t, err)
	static := c.Scheduler
	static.Dynamic = false
	for _, key := range r.Keys() {
		var n, tokens int
		var part string
		got := []float32{}
		if k, _ := fmt.Sscanf(strings.Replace(key, ".", " ", 2), "sched train%d %s", &n, &part); k == 2 {
			got = static.Sigmas(n, 0)
			if part == "timesteps" {
				for i := range got {
					got[i] *= float32(c.Scheduler.TrainTimesteps)
				}
			} else {
				got = append(got, 0)
			}
		} else if k, _ := fmt.Sscanf(key, "sched.pipe.seq%d.n%d.sigmas", &tokens, &n); k == 2 {
			got = append(c.Scheduler.Sigmas(n, c.Scheduler.Mu(tokens)), 0)
		} else if k, _ := fmt.Sscanf(key, "sched.pipe.seq%d.%s", &tokens, &part); k == 2 && part == "mu" {
			got = append(got, float32(c.Scheduler.Mu(tokens)))
		} else {
			continue
		}
		t.Run(key, func(t *testing.T) { r.Compare(t, key, got, 1e-7) })
	}
}

// testForward compares one call of the transformer at two times, and in the
// second one every module's output.
func (r *reference) testForward(t *testing.T) {
	for _, call := range []string{"fwd0", "fwd1"} {
		guidance, _ := r.Floats(t, call+".guidance_scale")
		time, _ := r.Floats(t, call+".t")
		g := r.open(t, Options{Guidance: r.guided(t, float64(guidance[0]))})
		got := golden.Run(t, r.Runtime, func(in []*Node) golden.Outputs {
			f := nn.Pass{Recorder: &nn.Recorder{}}
			input := g.inputs(in[0], in[1], in[2:])
			prediction := g.transformer.apply(f, input)
			r.recordStreams(f, g, input.text.Shape().Dim(1))
			out := r.Recorded("fwd1.mod.", f.Recorder, "")
			rotary := input.rotary.In(in[0].Graph())
			out["model_pred"], out["pos_embed.0"], out["pos_embed.1"] = prediction, twice(rotary.Cos), twice(rotary.Sin)
			return out
		}, r.Tensor(t, "in.fwd_latents"), pipeline.ModelTime(time[0]), r.cond[0], r.cond[1])
		r.Compare(t, call+".model_pred", got.Floats(t, "model_pred"), tolerance)
		if call == "fwd1" {
			r.Modules(t, "fwd1.mod.", got, tolerance, nil)
			r.comparePositions(t, g)
		}
	}
}

// recordStreams records the outputs of the single blocks as the reference has them:
// those of the text, and those of the picture.
func (r *reference) recordStreams(f nn.Pass, g *Generator, words int) {
	for _, b := range g.transformer.singles {
		x := f.Recorder.Output(b.name)
		f.RecordAll(b.name, Slice(x, AxisRange(), AxisRange(0, words)), Slice(x, AxisRange(), AxisRange(words)))
	}
}

// comparePositions compares the ids from which the reference makes its rotary
// embedding; ours are the angles themselves.
func (r *reference) comparePositions(t *testing.T, g *Generator) {
	var want []float32
	for row := range g.rows {
		for col := range g.cols {
			want = append(want, 0, float32(row), float32(col))
		}
	}
	r.Compare(t, "fwd.img_ids", want, 0)
	words, _ := r.Floats(t, "text.txt_ids")
	require.Equal(t, make([]float32, 3*g.options.TextTokens), words)
}

// twice repeats every number of a table [1, S, 1, D/2] as the reference's
// tables do: [S, D].
func twice(table *Node) *Node {
	d := table.Shape().Dimensions
	return Reshape(BroadcastToDims(InsertAxes(table, -1), 1, d[1], 1, d[3], 2), d[1], 2*d[3])
}
