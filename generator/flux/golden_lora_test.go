package flux

import (
	"testing"

	"github.com/dualprocess/dualprocess-go/internal/pipeline/pipelinetest"
	"github.com/dualprocess/dualprocess-go/lora"
)

// testLora compares pictures made with the adapter in memory and from the files
// that diffusers wrote, at several weights.
func (r *reference) testLora(t *testing.T) {
	g := r.open(t, r.static(t, r.SampledSteps(t), r.About.Spec.Guidance))
	start := r.Adapter(t, g, r.cond)
	layers := pipelinetest.Layers(t, r.Runtime, g, r.cond)
	r.CompareScaling(t)
	r.Compare(t, "lora.plain.peft_scaling", []float32{1}, 0)

	r.ComparePictures(t, r.Sampler(t, g, r.cond, start), start, "lora.inmem.w", "")
	plain := r.Load(t, "lora/plain/pytorch_lora_weights.safetensors", layers, start)
	r.ComparePictures(t, r.Sampler(t, g, r.cond, plain), plain, "lora.plain.scale", "")
	r.Load(t, "lora/reference_state_dict.safetensors", layers, start)
	r.Write(t, start, map[string]lora.SaveOptions{
		"diffusers":   {},
		"baked":       {Baked: true},
		"kohya":       {Kohya: layers},
		"kohya_baked": {Kohya: layers, Baked: true},
	})
	r.WriteSame(t, lora.Config{Rank: 2}, layers, map[string]lora.SaveOptions{"diffusers": {}, "kohya": {Kohya: layers}})
	t.Run("kohya", func(t *testing.T) {
		pipelinetest.RoundTrip(t, start, lora.SaveOptions{Kohya: layers}, layers)
	})
	t.Run("with_metadata", func(t *testing.T) {
		a := r.Load(t, "lora/with_metadata/pytorch_lora_weights.safetensors", layers, start)
		_, picture := r.Sampler(t, g, r.cond, a).Run(t, a, 1)
		r.Compare(t, "lora.inmem.w1.image_raw", picture, tolerance)
	})
}
