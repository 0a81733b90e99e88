package zimage

import (
	"fmt"
	"os"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/pipeline"
	"github.com/dualprocess/dualprocess-go/internal/pipeline/pipelinetest"
)

// family is what the fixtures call the model.
const family = "z_image"

// Tolerances of the fixtures' README, relative to the largest element.
const (
	tolerance         = 3e-5 // outputs
	gradientTolerance = 1e-4
	fastTolerance     = 1e-4 // of losses at a rate at which three updates move them
)

// reference is a fixture: what diffusers and peft computed.
type reference struct {
	*pipelinetest.Newer
	config config
	about  struct {
		Spec struct {
			Scale      float64 `json:"cfg_scale"`
			Truncation float64 `json:"cfg_trunc"`
		}
	}
}

// TestGolden compares everything that the fixtures hold about Z-Image.
func TestGolden(t *testing.T) {
	pipelinetest.Golden(t, family, func(x *pipelinetest.Reference) []pipelinetest.Group {
		x.Tolerance, x.GradientTolerance, x.Trimmed, x.Extends = tolerance, gradientTolerance, true, true
		r := newReference(t, x)
		return []pipelinetest.Group{
			{Name: "text", Test: r.testText}, {Name: "sched", Test: r.testSchedule}, {Name: "fwd", Test: r.TestCalls},
			{Name: "modules", Test: r.testModules}, {Name: "positions", Test: r.testPositions}, {Name: "prompts", Test: r.TestPrompts},
			{Name: "sample", Test: r.TestSampling}, {Name: "steps", Test: r.TestSteps}, {Name: "size2", Test: r.TestSize},
			{Name: "batch", Test: r.TestBatch}, {Name: "latgrad", Test: r.TestLatentGradients},
			{Name: "lora", Test: func(t *testing.T) { r.TestLora(t, r.testNamings) }},
			{Name: "train", Test: func(t *testing.T) { r.TestTraining(t, fastTolerance) }},
			{Name: "distill", Test: func(t *testing.T) { r.TestDistill(t, fastTolerance, r.open) }},
			{Name: "every key", Test: func(t *testing.T) { r.Covered(t, "text.qwen.", "vae.", "in.") }}, // the packages text and autoencoder, and inputs
		}
	})
}

func newReference(t *testing.T, x *pipelinetest.Reference) *reference {
	c, err := readConfig(os.DirFS(x.Path("model")))
	require.NoError(t, err)
	r := &reference{Newer: &pipelinetest.Newer{Reference: x}, config: c}
	x.Decode(t, &r.about)
	r.Newer.Open = func(t *testing.T, s pipelinetest.Setting) pipelinetest.Generator {
		return r.open(t, s, backends.CheckpointAuto)
	}
	r.Newer.Schedule = func(g pipelinetest.Generator, quantity string, i int) []float32 {
		return r.schedule(g.(*Generator).flow, quantity, i)
	}
	return r
}

// open opens the fixture's model.
func (r *reference) open(t *testing.T, s pipelinetest.Setting, c backends.Checkpointing) pipelinetest.Generator {
	o := Options{Height: s.Height, Width: s.Width, Steps: s.Steps, Guidance: &s.Guidance, TextTokens: r.About.Spec.Seq, Checkpoint: c}
	if s.Kind != "ref" {
		require.Contains(t, []string{"cfg", "cfg_norm", "cfg_trunc"}, s.Kind, "unknown sampling")
		o.Guidance = &r.about.Spec.Scale
	}
	switch s.Kind {
	case "cfg_norm":
		o.Normalization = 1
	case "cfg_trunc":
		o.Truncation = &r.about.Spec.Truncation
	}
	g, err := Open(t.Context(), r.Runtime, r.Path("model"), o)
	require.NoError(t, err)
	if s.At != 0 {
		level := s.At / float32(r.config.Scheduler.TrainTimesteps)
		told := gone(s.At) * float32(r.config.Transformer.TimeScale)
		g.flow = pipeline.NewFlow([]float32{level}, nil, func(float32) float32 { return told })
	}
	return g
}

// schedule is what a grid says about step or level i.
func (r *reference) schedule(f pipeline.Flow, quantity string, i int) []float32 {
	steps, timesteps := f.Steps(), make([]float32, len(f.Sigmas))
	for k, sigma := range f.Sigmas {
		timesteps[k] = sigma * float32(r.config.Scheduler.TrainTimesteps)
	}
	switch quantity {
	case "t":
		return timesteps[i : i+1]
	case "model_t":
		return []float32{f.Times[i] / float32(r.config.Transformer.TimeScale)}
	case "sigma":
		return f.Sigmas[i : i+1]
	case "sched_timesteps":
		return timesteps[:steps]
	case "sched_sigmas":
		return append(f.Sigmas[:steps:steps], 0)
	}
	return nil
}

func (r *reference) testSchedule(t *testing.T) {
	for _, key := range r.Keys() {
		var tokens, n int
		var part string
		var got []float32
		if k, _ := fmt.Sscanf(key, "sched.pipe.seq%d.n%d.sigmas", &tokens, &n); k == 2 {
			got = r.schedule(newFlow(r.config.Scheduler, n, tokens, 1), "sched_sigmas", 0)
		} else if k, _ := fmt.Sscanf(key, "sched.train%d.%s", &n, &part); k == 2 {
			got = r.schedule(newFlow(r.config.Scheduler, n, 1, 1), "sched_"+part, 0)[:n]
		} else {
			continue
		}
		t.Run(key, func(t *testing.T) { r.Compare(t, key, got, 1.2e-7) })
	}
}

// testText compares the states of prompts, of which the pipeline has those of words
// alone.
func (r *reference) testText(t *testing.T) {
	spec := r.About.Spec
	compare := func(key, prompt string, cond dualprocess.Inputs) {
		want, shape := r.Floats(t, key)
		got, words := tensors.MustCopyFlatData[float32](cond[0]), float32(0)
		for _, one := range tensors.MustCopyFlatData[float32](cond[1]) {
			words += one
		}
		require.Equal(t, float32(shape[0]), words, prompt)
		r.Compare(t, key, got[:len(want)], tolerance)
	}
	g := r.Newer.Open(t, pipelinetest.Setting{Kind: "cfg", Height: spec.Height, Width: spec.Width, Steps: 1})
	for name, prompt := range spec.Prompts {
		compare("text.embeds_"+name, prompt, r.Cond(t, g, "ref", prompt))
	}
	own := r.Cond(t, g, "ref", r.About.Prompt)
	compare("text.embeds", r.About.Prompt, own)
	compare("text.negative_embeds", "", own[2:])
	long, err := Open(t.Context(), r.Runtime, r.Path("model"), Options{Height: spec.Height, Width: spec.Width, TextTokens: 512})
	require.NoError(t, err)
	cond, err := long.Encode(t.Context(), r.About.Prompt)
	require.NoError(t, err)
	compare("text.embeds512", r.About.Prompt, cond)
}

// testModules compares every module's output in a call of the transformer. The
// reference's tokens are as many as this text fills, ours as many as the longest.
func (r *reference) testModules(t *testing.T) {
	g := r.At(t, "fwd1").(*Generator)
	var words int
	got := golden.Run(t, r.Runtime, func(in []*Node) golden.Outputs {
		f := nn.Pass{Recorder: &nn.Recorder{}}
		g.predict(f, in[0], in[1], in[2:])
		words = in[2].Shape().Dim(1)
		out := r.Recorded("fwd1.mod.", f.Recorder, "")
		out["patches"] = nn.Patches(pipeline.ChannelsLast(in[0]), patch)
		return out
	}, pipelinetest.Flatten(r.Tensor(t, "in.fwd_latents"), int32(0), r.Cond(t, g, "ref", r.About.Prompt))...)
	require.Equal(t, r.About.Spec.Seq, words)
	for _, key := range r.Keys() {
		if name, ok := strings.CutPrefix(key, "fwd1.mod."); ok {
			t.Run(key, func(t *testing.T) { r.compareTokens(t, key, got.Floats(t, name), name) })
		}
	}
	want, _ := r.Floats(t, "fwd.x_patches")
	patches := got.Floats(t, "patches")
	require.Equal(t, want[:len(patches)], patches)
}

// compareTokens compares the first tokens, as many as the reference has. What embeds a
// token fills up with the last of them there, before another takes its place.
func (r *reference) compareTokens(t *testing.T, key string, got []float32, name string) {
	want, shape := r.Floats(t, key)
	tokens := map[string]string{"all_x_embedder.2-1": "fwd.img_pad_mask", "cap_embedder": "fwd.cap_pad_mask", "cap_embedder.0": "fwd.cap_pad_mask"}
	if mask, ok := tokens[name]; ok {
		count, width := 0, shape[len(shape)-1]
		for _, filled := range r.Ints(t, mask) {
			count += 1 - int(filled)
		}
		require.LessOrEqual(t, count*width, len(got))
		got = append(got[:count*width:count*width], want[count*width:]...)
	}
	require.GreaterOrEqual(t, len(got), len(want))
	r.Compare(t, key, got[:len(want)], tolerance)
}

// testPositions compares our rotary embeddings with those of the reference's positions.
func (r *reference) testPositions(t *testing.T) {
	c, spec := r.config.Transformer, r.About.Spec
	text, image := r.Ints(t, "fwd.cap_ids"), r.Ints(t, "fwd.img_ids")
	var words float32
	for _, filled := range r.Ints(t, "fwd.cap_pad_mask") {
		words += float32(1 - filled)
	}
	rows, cols := spec.Height/16, spec.Width/16
	got := golden.Run(t, r.Runtime, func(in []*Node) golden.Outputs {
		w := newWords(Concatenate([]*Node{in[0], ZerosLike(in[1])}, 1))
		texts := c.textRotary(w.tokens).In(in[0].Graph())
		images := c.imageRotary(w.multiples, w.tokens, rows, cols)
		return golden.Outputs{"text.cos": texts.Cos, "text.sin": texts.Sin, "image.cos": images.Cos, "image.sin": images.Sin}
	}, ones(int(words)), ones(spec.Seq-int(words)))
	for name, ids := range map[string][]int32{"text": text, "image": image} {
		var want nn.RotaryTable
		for k := 0; k < len(ids); k += axes {
			var angles []float64
			for axis := range axes {
				angles = append(angles, c.angles(axis, int(ids[k+axis]))...)
			}
			want.Add(angles)
		}
		for part, table := range map[string][][]float32{".cos": want.Cos, ".sin": want.Sin} {
			flat, filled := got.Floats(t, name+part), r.Ints(t, map[string]string{"text": "fwd.cap_pad_mask", "image": "fwd.img_pad_mask"}[name])
			require.Len(t, filled, len(table))
			for k, row := range table {
				require.Equal(t, row, flat[k*len(row):][:len(row)], "%s %d", name+part, k)
			}
		}
	}
}

func ones(n int) *tensors.Tensor {
	values := make([]float32, n)
	for i := range values {
		values[i] = 1
	}
	return tensors.FromFlatDataAndDimensions(values, 1, n)
}
