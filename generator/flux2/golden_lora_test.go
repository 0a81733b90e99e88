package flux2

import (
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/pipeline/pipelinetest"
	"github.com/dualprocess/dualprocess-go/lora"
)

// testLora compares pictures made with the adapter in memory and from files in all
// namings, and writes files for other programs.
func (r *reference) testLora(t *testing.T) {
	r.TestLora(t, func(t *testing.T, s *pipelinetest.Sampler, start *lora.Adapter, layers []lora.Layer) {
		ways := map[string]lora.SaveOptions{
			"diffusers": {}, "baked": {Baked: true}, "kohya": {Kohya: layers}, "kohya_baked": {Kohya: layers, Baked: true}, "comfy": {Comfy: layers},
		}
		r.Write(t, start, ways)
		t.Run("own kohya", func(t *testing.T) { pipelinetest.RoundTrip(t, start, lora.SaveOptions{Kohya: layers}, layers) })
		for _, naming := range []string{"bfl", "kohya"} {
			t.Run(naming, func(t *testing.T) { r.testNaming(t, naming, layers) })
		}
	})
}

// testNaming compares an adapter in another naming with what diffusers made of it.
func (r *reference) testNaming(t *testing.T, naming string, layers []lora.Layer) {
	a, err := lora.Load(r.Path("lora/"+naming+"/pytorch_lora_weights.safetensors"), layers)
	require.NoError(t, err)
	prefix := "lora." + naming + "."
	r.Compare(t, prefix+"peft_scaling", []float32{1}, 0) // diffusers multiplies alpha in
	params := a.Params()
	if converted := prefix + "converted/"; r.HasAny(converted) {
		for k, l := range a.Layers() {
			r.Compare(t, converted+l.Name+".lora_A.weight", tensors.MustCopyFlatData[float32](params[2*k]), 0)
			r.Compare(t, converted+l.Name+".lora_B.weight", tensors.MustCopyFlatData[float32](params[2*k+1]), 0)
		}
	}
	spec := r.About.Spec
	g := r.Newer.Open(t, pipelinetest.Setting{Kind: "ref", Height: spec.Height, Width: spec.Width, Steps: r.SampledSteps(t), Guidance: spec.Guidance})
	cond := r.Cond(t, g, "ref", r.About.Prompt)
	got := golden.Run(t, r.Runtime, func(in []*Node) golden.Outputs {
		n := 2 + len(cond)
		delta := a.Delta(in[n+1:], in[n])
		return golden.Outputs{"model_pred": g.Predict(delta, in[0], in[1], in[2:n])}
	}, pipelinetest.Flatten(r.Tensor(t, "in.latents"), int32(0), cond, float32(1), params)...)
	r.Compare(t, prefix+"scale1.model_pred", got.Floats(t, "model_pred"), r.Tolerance)
	if picture := prefix + "scale1.image_raw"; r.Has(picture) {
		_, values := r.Sampler(t, g, cond, a).Run(t, a, 1)
		r.Compare(t, picture, values, r.Tolerance)
	}
}
