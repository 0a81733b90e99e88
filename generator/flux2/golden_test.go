package flux2

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/pipeline"
	"github.com/dualprocess/dualprocess-go/internal/pipeline/pipelinetest"
)

// family is what the fixtures call the model.
const family = "flux2"

// Tolerances of the fixtures' README, relative to the largest element: of outputs and
// of gradients, of the distilled models, and of the base ones, whose guidance
// multiplies differences.
var (
	tolerances    = map[bool][2]float64{true: {5e-5, 1e-4}, false: {1e-4, 4e-4}}
	fastTolerance = 1e-4 // of losses at a rate at which three updates move them
)

// reference is a fixture: what diffusers and peft computed.
type reference struct {
	*pipelinetest.Newer
	config config
}

// TestGolden compares everything that the fixtures hold about FLUX.2 klein.
func TestGolden(t *testing.T) {
	pipelinetest.Golden(t, family, func(x *pipelinetest.Reference) []pipelinetest.Group {
		r := newReference(t, x)
		return []pipelinetest.Group{
			{Name: "text", Test: r.testText}, {Name: "sched", Test: r.testSchedule}, {Name: "fwd", Test: r.TestCalls},
			{Name: "modules", Test: r.testModules}, {Name: "prompts", Test: r.TestPrompts}, {Name: "sample", Test: r.TestSampling},
			{Name: "steps", Test: r.TestSteps}, {Name: "size2", Test: r.TestSize}, {Name: "batch", Test: r.TestBatch},
			{Name: "latgrad", Test: r.TestLatentGradients}, {Name: "lora", Test: r.testLora},
			{Name: "train", Test: func(t *testing.T) { r.TestTraining(t, fastTolerance) }, Essential: true, Long: true},
			{Name: "distill", Test: r.testDistill},
			{Name: "every key", Test: func(t *testing.T) {
				r.Covered(t, "text.qwen.", "vae.", "in.") // the packages text and autoencoder, and inputs
			}},
		}
	})
}

func newReference(t *testing.T, x *pipelinetest.Reference) *reference {
	c, err := readConfig(os.DirFS(x.Path("model")))
	require.NoError(t, err)
	x.Tolerance, x.GradientTolerance = tolerances[c.Distilled][0], tolerances[c.Distilled][1]
	x.Trimmed, x.Extends = true, true
	r := &reference{&pipelinetest.Newer{Reference: x, Encoded: []string{"text.embeds", "text.negative_embeds"}}, c}
	r.Newer.Open = func(t *testing.T, s pipelinetest.Setting) pipelinetest.Generator {
		return r.open(t, s, backends.CheckpointAuto)
	}
	r.Newer.Schedule = func(g pipelinetest.Generator, quantity string, i int) []float32 {
		return r.schedule(g.(*Generator).flow, quantity, i)
	}
	return r
}

// testDistill makes the fixtures' trainings by Distill itself, where their losses are
// not left out.
func (r *reference) testDistill(t *testing.T) {
	if r.HasAny("train.subsample.lr0.01.") {
		r.TestDistill(t, fastTolerance, r.open)
	}
}

// open opens the fixture's model.
func (r *reference) open(t *testing.T, s pipelinetest.Setting, c backends.Checkpointing) pipelinetest.Generator {
	require.Equal(t, "ref", s.Kind, "unknown sampling")
	o := Options{Height: s.Height, Width: s.Width, Steps: s.Steps, Guidance: &s.Guidance, TextTokens: r.About.Spec.Seq, Checkpoint: c}
	if r.config.Distilled { // the pipeline ignores the guidance, and we refuse it
		o.Guidance = nil
	}
	g, err := Open(t.Context(), r.Runtime, r.Path("model"), o)
	require.NoError(t, err)
	if s.At != 0 {
		g.flow.Sigmas[0], g.flow.Times[0] = s.At/1000, pipeline.ModelTime(s.At)
	}
	return g
}

// schedule is what a flow says about step or level i.
func (r *reference) schedule(f pipeline.Flow, quantity string, i int) []float32 {
	steps := f.Steps()
	switch quantity {
	case "t":
		return []float32{f.Sigmas[i] * float32(r.config.Scheduler.TrainTimesteps)}
	case "model_t":
		return []float32{f.Times[i] / 1000}
	case "sigma":
		return f.Sigmas[i : i+1]
	case "sched_timesteps":
		return f.Times[:steps]
	case "sched_sigmas":
		return append(slices.Clone(f.Sigmas[:steps]), f.Next[steps-1])
	}
	return nil
}

// testSchedule compares noise levels: of samplers by the numbers of tokens and steps,
// and of the training, which are shifted as the fixture's own steps are.
func (r *reference) testSchedule(t *testing.T) {
	spec, c := r.About.Spec, r.config.Scheduler
	pixels := 2 * r.config.Autoencoder.Factor()
	own := c.Flow(spec.Steps, mu(spec.Height/pixels*(spec.Width/pixels), spec.Steps))
	for _, key := range r.Keys() {
		var tokens, n int
		var part string
		var got []float32
		if k, _ := fmt.Sscanf(strings.ReplaceAll(key, ".", " "), "sched pipe seq%d n%d %s", &tokens, &n, &part); k == 3 {
			got = append(c.Sigmas(n, mu(tokens, n)), 0)
			if part == "mu" {
				got = []float32{float32(mu(tokens, n))}
			}
		} else if key == "sched.train1000.sigmas" {
			got = own.Sigmas[spec.Steps:]
		} else if key == "sched.train1000.timesteps" {
			got = own.Times[spec.Steps:]
		} else {
			continue
		}
		t.Run(key, func(t *testing.T) { r.Compare(t, key, got, 1.2e-7) })
	}
}

// testText compares what the pipeline makes of prompts.
func (r *reference) testText(t *testing.T) {
	spec := r.About.Spec
	s := pipelinetest.Setting{Kind: "ref", Height: spec.Height, Width: spec.Width, Steps: 1, Guidance: spec.Guidance}
	g := r.Newer.Open(t, s).(*Generator)
	prompts := map[string]string{"text.embeds": r.About.Prompt}
	for name, prompt := range spec.Prompts {
		prompts["text.embeds_"+name] = prompt
	}
	for key, prompt := range prompts {
		cond := r.Cond(t, g, "ref", prompt)
		r.Compare(t, key, tensors.MustCopyFlatData[float32](cond[0]), r.Tolerance)
		if r.Has("text.negative_embeds") {
			r.Compare(t, "text.negative_embeds", tensors.MustCopyFlatData[float32](cond[1]), r.Tolerance)
		}
	}
	if r.Has("text.embeds512") {
		r.testLongText(t)
	}
}

// testLongText compares every 64th row of the states at the pipeline's own length.
func (r *reference) testLongText(t *testing.T) {
	spec := r.About.Spec
	long, err := Open(t.Context(), r.Runtime, r.Path("model"), Options{Height: spec.Height, Width: spec.Width})
	require.NoError(t, err)
	cond, err := long.Encode(t.Context(), r.About.Prompt)
	require.NoError(t, err)
	width, values := cond[0].Shape().Dim(2), tensors.MustCopyFlatData[float32](cond[0])
	var rows []float32
	for row := 0; row < cond[0].Shape().Dim(1); row += 64 {
		rows = append(rows, values[row*width:][:width]...)
	}
	r.Compare(t, "text.embeds512", rows, r.Tolerance)
}

// testModules compares every module's output in a call of the transformer. Where there
// is guidance, our batch has the rows [negative, positive], and the fixture the positive
// call and then the negative one.
func (r *reference) testModules(t *testing.T) {
	g := r.At(t, "fwd1").(*Generator)
	got := golden.Run(t, r.Runtime, func(in []*Node) golden.Outputs {
		f := nn.Pass{Recorder: &nn.Recorder{}}
		g.predict(f, in[0], g.flow.Time(in[1]), in[2:])
		out := golden.Outputs{}
		for name, x := range r.Recorded("fwd1.mod.", f.Recorder, "") {
			rows := Split(x, 0, x.Shape().Dim(0))
			out[name] = rows[len(rows)-1]
			if again := name + "#2"; r.Has("fwd1.mod." + again) {
				out[again] = rows[0]
			}
		}
		r.addPositions(g, in[0].Graph(), out)
		return out
	}, pipelinetest.Flatten(r.Tensor(t, "in.fwd_latents"), int32(0), r.Cond(t, g, "ref", r.About.Prompt))...)
	r.Modules(t, "fwd1.mod.", got, r.Tolerance, nil)
	r.comparePositions(t, g)
}

// addPositions adds the reference's rotary embeddings: of the picture, of the text, and
// in the negative call again. Every number is there twice.
func (r *reference) addPositions(g *Generator, graph *Graph, out golden.Outputs) {
	words := g.options.TextTokens
	rotary := g.rotary(words).In(graph)
	for part, table := range map[string]*Node{".0": rotary.Cos, ".1": rotary.Sin} {
		d := table.Shape().Dimensions
		twice := Reshape(BroadcastToDims(InsertAxes(table, -1), 1, d[1], 1, d[3], 2), d[1], 2*d[3])
		text, image := Slice(twice, AxisRange(0, words)), Slice(twice, AxisRange(words))
		for call, x := range map[string]*Node{"": image, "#2": text, "#3": image, "#4": text} {
			out["pos_embed"+part+call] = x
		}
	}
}

// comparePositions compares the ids from which the reference makes its rotary
// embedding; ours are the angles themselves.
func (r *reference) comparePositions(t *testing.T, g *Generator) {
	var image, text []int32
	for row := range g.rows {
		for col := range g.cols {
			image = append(image, 0, int32(row), int32(col), 0)
		}
	}
	for word := range g.options.TextTokens {
		text = append(text, 0, 0, 0, int32(word))
	}
	require.Equal(t, r.Ints(t, "fwd.img_ids"), image)
	require.Equal(t, r.Ints(t, "text.txt_ids"), text)
}
