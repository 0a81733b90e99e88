package flux

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/golden"
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
		"kohya":       {Fused: g.Published()},
		"kohya_baked": {Fused: g.Published(), Baked: true},
	})
	t.Run("kohya", func(t *testing.T) {
		pipelinetest.RoundTrip(t, start, lora.SaveOptions{Fused: g.Published()}, layers, g.Published()...)
	})
	t.Run("with_metadata", func(t *testing.T) {
		a := r.Load(t, "lora/with_metadata/pytorch_lora_weights.safetensors", layers, start)
		_, picture := r.Sampler(t, g, r.cond, a).Run(t, a, 1)
		r.Compare(t, "lora.inmem.w1.image_raw", picture, tolerance)
	})
}

// TestPublished sees to it that every layer has a published name, but for the one
// whose halves are swapped, and only one.
func TestPublished(t *testing.T) {
	for _, x := range pipelinetest.Find(t, family) {
		x.Runtime = golden.Plain(t)
		r := &reference{Reference: x}
		g := r.open(t, Options{})
		known := map[lora.Layer]string{}
		for _, fused := range g.Published() {
			for _, l := range fused.Layers {
				require.NotContains(t, known, l)
				known[l] = fused.Name
			}
		}
		for _, l := range pipelinetest.Layers(t, r.Runtime, g, r.cond) {
			if l.Name != "norm_out.linear" {
				require.Contains(t, known, l)
				delete(known, l)
			}
		}
		require.Empty(t, known, "there are no such layers")
	}
}
