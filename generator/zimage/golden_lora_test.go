package zimage

import (
	"fmt"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/pipeline/pipelinetest"
	"github.com/dualprocess/dualprocess-go/lora"
)

// testNamings compares pictures with adapters in the namings of other programs, of other
// numbers than the start adapter's, and sees the start adapter come back from them.
func (r *reference) testNamings(t *testing.T, _ *pipelinetest.Sampler, start *lora.Adapter, layers []lora.Layer) {
	for _, naming := range []string{"comfy", "kohya"} {
		t.Run(naming, func(t *testing.T) {
			a, err := lora.Load(r.Path("lora/"+naming+"/pytorch_lora_weights.safetensors"), layers)
			require.NoError(t, err)
			require.Equal(t, start.Layers(), a.Layers())
			r.Compare(t, "lora."+naming+".peft_scaling", []float32{1}, 0) // diffusers multiplies alpha in
			r.compareNaming(t, a, "lora."+naming+".scale1.")
		})
	}
	g := r.sampled(t)
	for name, o := range map[string]lora.SaveOptions{"kohya": {Kohya: layers, Weight: 1}, "comfy": {Comfy: layers, Weight: 1}} {
		t.Run("own file of "+name, func(t *testing.T) {
			path := fmt.Sprintf("%s/%s.safetensors", t.TempDir(), name)
			require.NoError(t, start.Save(path, o))
			a, err := lora.Load(path, layers)
			require.NoError(t, err)
			require.Equal(t, start.Layers(), a.Layers())
			r.ComparePictures(t, r.Sampler(t, g, r.Cond(t, g, "ref", r.About.Prompt), a), a, "lora.inmem.w", " by "+name)
		})
	}
	r.Write(t, start, map[string]lora.SaveOptions{"diffusers": {}, "baked": {Baked: true}, "kohya": {Kohya: layers}, "comfy": {Comfy: layers}})
}

// compareNaming compares the first prediction with an adapter at weight 1, and the
// picture.
func (r *reference) compareNaming(t *testing.T, a *lora.Adapter, prefix string) {
	g := r.sampled(t)
	cond := r.Cond(t, g, "ref", r.About.Prompt)
	got := golden.Run(t, r.Runtime, func(in []*Node) golden.Outputs {
		n := len(cond)
		delta := a.Delta(in[3+n:], in[2])
		return golden.Outputs{"model_pred": g.Predict(delta, in[0], in[1], in[3:3+n])}
	}, pipelinetest.Flatten(r.Tensor(t, "in.latents"), int32(0), float32(1), cond, a.Params())...)
	r.Compare(t, prefix+"model_pred", got.Floats(t, "model_pred"), tolerance)
	if r.Has(prefix + "image_raw") {
		_, picture := r.Sampler(t, g, cond, a).Run(t, a, 1)
		r.Compare(t, prefix+"image_raw", picture, tolerance)
	}
}

// sampled is the generator of the fixture's pictures with adapters.
func (r *reference) sampled(t *testing.T) pipelinetest.Generator {
	spec := r.About.Spec
	return r.Newer.Open(t, pipelinetest.Setting{
		Kind: "ref", Height: spec.Height, Width: spec.Width, Steps: r.SampledSteps(t), Guidance: spec.Guidance,
	})
}
