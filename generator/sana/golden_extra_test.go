package sana

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/pipeline/pipelinetest"
)

// extra is a fixture beside that of the model: what the pipeline as it is computes for
// other prompts and sizes.
type extra struct {
	*golden.Fixture
	r     *reference
	about struct {
		Prompts  map[string]string
		Guidance float64
		Size2    [2]int
	}
}

// stockSteps are those of the fixture's samplings.
const stockSteps = 4

// testExtra compares what is in the fixture beside, where there is one.
func (r *reference) testExtra(t *testing.T) {
	x := &extra{Fixture: r.Beside(t, "extra"), r: r}
	if x.Fixture == nil {
		t.Skip("no extra.json")
	}
	x.Decode(t, &x.about)
	t.Run("text", x.testText)
	t.Run("steps", x.testSteps)
	t.Run("size2", func(t *testing.T) {
		g := x.open(t, x.about.Size2[0], x.about.Size2[1])
		x.testSampled(t, "size2", g, x.encode(t, g, r.About.Prompt))
	})
	t.Run("batch", func(t *testing.T) {
		g := x.open(t, r.About.Spec.Height, r.About.Spec.Width)
		first, second := x.encode(t, g, r.About.Prompt), x.encode(t, g, x.about.Prompts["second"])
		for k := range first {
			first[k] = MustExecOnce(r.Runtime.Backend, func(in []*Node) *Node { return Concatenate(in, 0) }, first[k], second[k])
		}
		x.testSampled(t, "batch", g, first)
	})
	t.Run("every key", func(t *testing.T) {
		for _, key := range x.Unread() {
			require.Regexp(t, `^text\.gemma\.`, key, "nobody compares this") // but package sanabase
		}
	})
}

// open opens the model with all as the pipeline has it.
func (x *extra) open(t *testing.T, height, width int) *Generator {
	o := Options{Height: height, Width: width, Steps: stockSteps, Guidance: &x.about.Guidance, TextTokens: x.r.About.Spec.Seq}
	g, err := Open(t.Context(), x.r.Runtime, x.r.Path("model"), o)
	require.NoError(t, err)
	return g
}

func (x *extra) encode(t *testing.T, g *Generator, prompt string) dualprocess.Inputs {
	cond, err := g.Encode(t.Context(), prompt)
	require.NoError(t, err)
	return cond
}

func (x *extra) testText(t *testing.T) {
	chi := x.open(t, x.r.About.Spec.Height, x.r.About.Spec.Width)
	plain := x.r.open(t, x.r.paper(1, 1))
	for _, key := range x.Keys() {
		rest, ok := strings.CutPrefix(key, "text.sana.embeds_")
		if !ok {
			continue
		}
		kind, name, _ := strings.Cut(rest, "_")
		cond := x.encode(t, map[string]*Generator{"chi": chi, "plain": plain}[kind], x.about.Prompts[name])
		mask, want := tensors.MustCopyFlatData[float32](cond[1]), x.Tensor(t, key)
		for k, word := range x.Ints(t, "text.sana.mask_"+rest) {
			require.Equal(t, float32(word), mask[k])
		}
		got, to := tensors.MustCopyFlatData[float32](cond[0]), tensors.MustCopyFlatData[float32](want)
		for k := range got {
			if mask[k/want.Shape().Dim(2)] == 0 { // padding, whose states have no meaning
				got[k] = to[k]
			}
		}
		x.Compare(t, key, got, tolerance)
	}
}

// testSteps compares every step of the pipeline's own solver.
func (x *extra) testSteps(t *testing.T) {
	g := x.open(t, x.r.About.Spec.Height, x.r.About.Spec.Width)
	cond := x.encode(t, g, x.r.About.Prompt)
	latents := x.r.Tensor(t, "in.latents")
	after := x.r.Sampler(t, g, cond, nil).Denoise(t, latents, stockSteps, 0, nil)
	for i := range stockSteps {
		prefix := fmt.Sprintf("steps.dpm_chi.n%d.step%d.", stockSteps, i)
		got := x.step(t, g, latents, i, cond)
		for _, part := range []string{"model_pred", "x0_latents"} {
			x.Compare(t, prefix+part, got.Floats(t, part), tolerance)
		}
		x.Compare(t, prefix+"t", g.schedule.Times[i:i+1], 1.2e-7)
		x.Compare(t, prefix+"sigma", g.schedule.Sigmas[i:i+1], 1.2e-7)
		latents = after[i]
		x.Compare(t, prefix+"latents_after", tensors.MustCopyFlatData[float32](latents), tolerance)
	}
}

// step returns the prediction at step i, and the clean estimate.
func (x *extra) step(t *testing.T, g *Generator, latents *tensors.Tensor, i int, cond dualprocess.Inputs) golden.Results {
	return golden.Run(t, x.r.Runtime, func(in []*Node) golden.Outputs {
		prediction := g.Predict(nil, in[0], in[1], in[2:])
		return golden.Outputs{"model_pred": prediction, "x0_latents": g.Clean(in[0], prediction, in[1])}
	}, pipelinetest.Flatten(latents, int32(i), cond)...)
}

// testSampled compares the first prediction of a sampling, its latents and its picture.
func (x *extra) testSampled(t *testing.T, name string, g *Generator, cond dualprocess.Inputs) {
	start := x.Tensor(t, "in."+name+"_latents")
	x.Compare(t, name+".model_pred", x.step(t, g, start, 0, cond).Floats(t, "model_pred"), tolerance)
	after := x.r.Sampler(t, g, cond, nil).Denoise(t, start, stockSteps, 0, nil)
	last := after[stockSteps-1]
	if x.Has(name + ".latents") {
		x.Compare(t, name+".latents", tensors.MustCopyFlatData[float32](last), tolerance)
	}
	if x.Has(name + ".image_raw") {
		got := golden.Run(t, x.r.Runtime, func(in []*Node) golden.Outputs {
			return golden.Outputs{"picture": pipelinetest.Picture(g, in[0])}
		}, last)
		x.Compare(t, name+".image_raw", got.Floats(t, "picture"), tolerance)
	}
}
