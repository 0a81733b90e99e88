package sd

import (
	"testing"

	"github.com/dualprocess/dualprocess-go/internal/pipeline/pipelinetest"
	"github.com/dualprocess/dualprocess-go/lora"
)

// testLora compares pictures made with the adapter in memory and from the files
// that diffusers wrote, at several weights.
func (r *reference) testLora(t *testing.T) {
	g := r.open(t, Options{Steps: r.SampledSteps(t), Guidance: &r.About.Spec.Guidance})
	cond := r.conditions(t, g)
	start, layers := r.Adapter(t, g, cond), pipelinetest.Layers(t, r.Runtime, g, cond)
	r.CompareScaling(t)

	r.ComparePictures(t, r.Sampler(t, g, cond, start), start, "lora.inmem.w", "")
	for _, name := range []string{"plain", "old_keys"} {
		r.Compare(t, "lora."+name+".peft_scaling", []float32{1}, 0)
		a := r.Load(t, "lora/"+name+"/pytorch_lora_weights.safetensors", layers, start)
		r.ComparePictures(t, r.Sampler(t, g, cond, a), a, "lora.plain.scale", " "+name)
	}
	r.Load(t, "lora/reference_state_dict.safetensors", layers, start)
	t.Run("with_metadata", func(t *testing.T) {
		a := r.Load(t, "lora/with_metadata/pytorch_lora_weights.safetensors", layers, start)
		_, picture := r.Sampler(t, g, cond, a).Run(t, a, 1)
		r.Compare(t, "lora.inmem.w1.image_raw", picture, tolerance)
	})
	t.Run("round trip", func(t *testing.T) {
		pipelinetest.RoundTrip(t, start, lora.SaveOptions{}, layers)
	})
	t.Run("kohya", func(t *testing.T) {
		pipelinetest.RoundTrip(t, start, lora.SaveOptions{Kohya: layers}, layers)
	})
	r.Write(t, start, map[string]lora.SaveOptions{
		"diffusers": {}, "baked": {Baked: true}, "kohya": {Kohya: layers}, "kohya_baked": {Kohya: layers, Baked: true},
	})
	r.WriteSame(t, lora.Config{Rank: 2, Prefix: g.Preset().Prefix, Targets: []string{
		"conv1", "conv2", "conv_shortcut", "time_emb_proj", "proj_in", "proj_out", "downsamplers.*.conv", "upsamplers.*.conv", "to_*", "to_out.0", "ff.net.0.proj", "ff.net.2",
	}}, layers, map[string]lora.SaveOptions{"diffusers": {}, "kohya": {Kohya: layers}})
}
