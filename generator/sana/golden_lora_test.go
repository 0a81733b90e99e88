package sana

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/pipeline/pipelinetest"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
	"github.com/dualprocess/dualprocess-go/lora"
)

// testLora compares pictures made with the adapter in memory and from the files
// that diffusers wrote, at several weights.
func (r *reference) testLora(t *testing.T) {
	g := r.open(t, r.paper(r.SampledSteps(t), r.About.Spec.Guidance))
	require.Equal(t, r.About.Spec.LearningRate, g.Preset().LearningRate)
	cond := r.cond(t, g)
	start, layers := r.Adapter(t, g, cond), pipelinetest.Layers(t, r.Runtime, g, cond)
	r.CompareScaling(t)
	r.Compare(t, "lora.plain.peft_scaling", []float32{1}, 0)

	r.ComparePictures(t, r.Sampler(t, g, cond, start), start, "lora.inmem.w", "")
	plain := r.Load(t, "lora/plain/pytorch_lora_weights.safetensors", layers, start)
	r.ComparePictures(t, r.Sampler(t, g, cond, plain), plain, "lora.plain.scale", "")
	r.Load(t, "lora/reference_state_dict.safetensors", layers, start)
	r.Write(t, start, map[string]lora.SaveOptions{"diffusers": {}, "baked": {Baked: true}})
	t.Run("with_metadata", func(t *testing.T) { // the alpha of which makes it the one in memory
		a := r.Load(t, "lora/with_metadata/pytorch_lora_weights.safetensors", layers, start)
		require.Equal(t, start.WithWeight(1), a)
	})
	t.Run("own file", func(t *testing.T) { pipelinetest.RoundTrip(t, start, lora.SaveOptions{}, layers) })
	t.Run("depthwise in groups", func(t *testing.T) { r.testGrouped(t, layers) })
}

// testGrouped sees to it that the other form in which a depthwise convolution could
// be adapted, by a kernel in groups, is refused by name.
func (r *reference) testGrouped(t *testing.T, layers []lora.Layer) {
	for _, l := range layers {
		if !strings.HasSuffix(l.Name, "conv_depth") {
			continue
		}
		rank, name := r.About.Spec.Rank, "transformer."+l.Name
		path := filepath.Join(t.TempDir(), "grouped.safetensors")
		require.NoError(t, safetensors.WriteFile(path, []safetensors.Tensor{
			safetensors.FromFloat32s(name+".lora_A.weight", make([]float32, rank*9), rank, 1, 3, 3),
			safetensors.FromFloat32s(name+".lora_B.weight", make([]float32, rank*l.Out), l.Out, rank, 1, 1),
		}, nil))
		_, err := lora.Load(path, layers)
		require.ErrorIs(t, err, lora.ErrMismatch)
		require.ErrorContains(t, err, l.Name)
		return
	}
	require.Fail(t, "no depthwise convolution can be adapted")
}
