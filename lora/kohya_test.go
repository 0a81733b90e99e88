package lora

import (
	"path/filepath"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

// tinyFlux are some of the layers of a FLUX that is two wide, each fused module's in
// the order of its outputs.
var tinyFlux = []Layer{
	{Name: "norm_out.linear", In: 2, Out: 4},
	{Name: "single_transformer_blocks.0.attn.to_q", In: 2, Out: 2},
	{Name: "single_transformer_blocks.0.attn.to_k", In: 2, Out: 2},
	{Name: "single_transformer_blocks.0.attn.to_v", In: 2, Out: 2},
	{Name: "single_transformer_blocks.0.proj_mlp", In: 2, Out: 8},
	{Name: "single_transformer_blocks.0.proj_out", In: 10, Out: 2},
	{Name: "single_transformer_blocks.0.norm.linear", In: 2, Out: 6},
	{Name: "transformer_blocks.0.attn.add_q_proj", In: 2, Out: 2},
	{Name: "transformer_blocks.0.attn.to_out.0", In: 2, Out: 2},
	{Name: "transformer_blocks.0.attn.to_q", In: 2, Out: 2},
	{Name: "transformer_blocks.0.attn.to_k", In: 2, Out: 2},
	{Name: "transformer_blocks.0.attn.to_v", In: 2, Out: 2},
}

// tinyUnet are some of the layers of a U-Net with convolutions.
var tinyUnet = []Layer{
	{Name: "down_blocks.0.attentions.0.proj_in", In: 2, Out: 2, Kernel: [2]int{1, 1}},
	{Name: "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0", In: 2, Out: 2},
	{Name: "down_blocks.0.resnets.0.conv1", In: 2, Out: 3, Kernel: [2]int{3, 3}},
}

// TestKohyaRoundTrip saves in kohya's naming and reads back: every number is the
// same, also where B is zero and where a part of a fused layer is not adapted.
func TestKohyaRoundTrip(t *testing.T) {
	for name, test := range map[string]struct {
		layers  []Layer
		targets []string
	}{
		"all": {tinyFlux, nil}, "a part": {tinyFlux, []string{"to_k"}}, "one whole": {tinyFlux, []string{"to_out.0"}},
		"swapped": {tinyFlux, []string{"norm_out.linear"}}, "FLUX.2": {tinyFlux2(), nil}, "U-Net": {tinyUnet, nil}, "another": {twoLayers, nil},
	} {
		for _, trained := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				a, err := New(Config{Rank: 2, Alpha: 3, Targets: test.targets}, test.layers)
				require.NoError(t, err)
				if trained {
					a = numbered(t, a)
				}
				path := filepath.Join(t.TempDir(), "a.safetensors")
				require.NoError(t, a.Save(path, SaveOptions{Kohya: test.layers}))
				b, err := Load(path, test.layers)
				require.NoError(t, err)
				require.Equal(t, a, b)
			})
		}
	}
}

// numbered returns the adapter with numbers that are all different and not 0.
func numbered(t *testing.T, a *Adapter) *Adapter {
	next := float32(0)
	params := a.Params()
	for _, p := range params {
		require.NoError(t, tensors.MutableFlatData(p, func(values []float32) {
			for i := range values {
				next++
				values[i] = next / 8
			}
		}))
	}
	b, err := a.WithParams(params)
	require.NoError(t, err)
	return b
}

// multiplied is B·A of a linear layer.
func multiplied(b, a []float32, out, rank, in int) []float32 {
	y := make([]float32, out*in)
	for o := range out {
		for r := range rank {
			for i := range in {
				y[o*in+i] += b[o*rank+r] * a[r*in+i]
			}
		}
	}
	return y
}

// saved returns a file of an adapter in kohya's naming.
func saved(t *testing.T, a *Adapter, layers []Layer) *safetensors.File {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	require.NoError(t, a.Save(path, SaveOptions{Kohya: layers}))
	f, err := safetensors.OpenFile(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f
}

func values(t *testing.T, f *safetensors.File, name string) []float32 {
	v, err := f.Float32s(name)
	require.NoError(t, err)
	return v
}

// TestKohyaLayout checks the file as another program reads it: one matrix over
// all of the fused layer, whose product with alpha/rank is ours at our weight.
func TestKohyaLayout(t *testing.T) {
	a, err := New(Config{Rank: 2, Alpha: 3, Targets: []string{"transformer_blocks.0.attn.to_[qk]"}}, tinyFlux[8:])
	require.NoError(t, err)
	a = numbered(t, a)
	f := saved(t, a, tinyFlux)
	const module = "lora_unet_double_blocks_0_img_attn_qkv"
	require.Len(t, f.Tensors(), 3)
	down, up := values(t, f, module+".lora_down.weight"), values(t, f, module+".lora_up.weight") // [4, 2], [6, 4]
	require.Equal(t, []float32{3 * DefaultWeight * 2}, values(t, f, module+".alpha"), "alpha/rank of each part, times their common rank")
	k, q := a.parts[0], a.parts[1] // sorted by name
	want := append(multiplied(q.b, q.a, 2, 2, 2), multiplied(k.b, k.a, 2, 2, 2)...)
	want = append(want, 0, 0, 0, 0) // to_v
	require.Equal(t, want, multiplied(up, down, 6, 4, 2))
}

// TestKohyaSwapped checks that the last modulation's halves change places.
func TestKohyaSwapped(t *testing.T) {
	a, err := New(Config{Rank: 1, Targets: []string{"norm_out.linear"}}, tinyFlux)
	require.NoError(t, err)
	a = numbered(t, a)
	b := a.parts[0].b
	f := saved(t, a, tinyFlux)
	require.Equal(t, []float32{b[2], b[3], b[0], b[1]}, values(t, f, "lora_unet_final_layer_adaLN_modulation_1.lora_up.weight"))
}

// TestKohyaUnet pins the names and the shapes of a U-Net's layers.
func TestKohyaUnet(t *testing.T) {
	f := saved(t, filled(t, Config{Rank: 2}, tinyUnet...), tinyUnet)
	shapes := map[string][]int{}
	for _, info := range f.Tensors() {
		shapes[info.Name] = info.Shape
	}
	require.Equal(t, map[string][]int{
		"lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight":                             {2, 2, 1, 1},
		"lora_unet_down_blocks_0_attentions_0_proj_in.lora_up.weight":                               {2, 2, 1, 1},
		"lora_unet_down_blocks_0_attentions_0_proj_in.alpha":                                        {},
		"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_out_0.lora_down.weight": {2, 2},
		"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_out_0.lora_up.weight":   {2, 2},
		"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_out_0.alpha":            {},
		"lora_unet_down_blocks_0_resnets_0_conv1.lora_down.weight":                                  {2, 2, 3, 3},
		"lora_unet_down_blocks_0_resnets_0_conv1.lora_up.weight":                                    {3, 2, 1, 1},
		"lora_unet_down_blocks_0_resnets_0_conv1.alpha":                                             {},
	}, shapes)
}

// TestKohyaElsewhere reads a file that was trained on the fused layer itself.
func TestKohyaElsewhere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	write := func(tensors ...safetensors.Tensor) { require.NoError(t, safetensors.WriteFile(path, tensors, nil)) }
	const module = "lora_unet_double_blocks_0_img_attn_qkv"
	down := safetensors.FromFloat32s(module+".lora_down.weight", []float32{1, 2}, 1, 2)
	up := safetensors.FromFloat32s(module+".lora_up.weight", []float32{1, 2, 3, 4, 0, 0}, 6, 1)

	write(down, up)
	a, err := Load(path, tinyFlux)
	require.NoError(t, err)
	require.Equal(t, 1.0, a.Weight())
	require.Equal(t, []part{
		{Layer: tinyFlux[10], rank: 1, alpha: 1, a: []float32{1, 2}, b: []float32{3, 4}},
		{Layer: tinyFlux[9], rank: 1, alpha: 1, a: []float32{1, 2}, b: []float32{1, 2}},
	}, a.parts, "of to_v nothing is left")

	_, err = Load(path, nil)
	require.ErrorIs(t, err, ErrFormat)
	require.ErrorContains(t, err, "kohya")
	require.ErrorContains(t, err, "the generator's layers")

	pair := func(module string) []safetensors.Tensor {
		return []safetensors.Tensor{
			safetensors.FromFloat32s(module+".lora_down.weight", []float32{1, 2}, 1, 2),
			safetensors.FromFloat32s(module+".lora_up.weight", []float32{1, 2}, 2, 1),
		}
	}
	for name, list := range map[string][]safetensors.Tensor{
		"lora_unet_double_blocks_9_img_attn_qkv": append(pair("lora_unet_double_blocks_9_img_attn_qkv"), down, up),
		"both A and B":                           {down},
		"layer is " + module + " 2→6":            {down, safetensors.FromFloat32s(up.Name, []float32{1, 2}, 2, 1)},
		"alpha":                                  {down, up, safetensors.FromFloat32s(module+".alpha", []float32{1, 2}, 2)},
		"lora_unet_b_extra":                      {down, up, safetensors.FromFloat32s("lora_unet_b_extra", []float32{1, 2}, 2)},
		"says the same":                          append(pair("lora_transformer_transformer_blocks_0_attn_to_k"), down, up),
	} {
		write(list...)
		_, err := Load(path, tinyFlux)
		require.ErrorContains(t, err, name)
	}
}

func TestKohyaRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	a := filled(t, Config{}, tinyFlux...)
	err := a.Save(path, SaveOptions{Kohya: tinyFlux[:4]})
	require.ErrorIs(t, err, ErrMismatch)
	require.ErrorContains(t, err, "there is no layer")
	// Two layers that are one without dots.
	alike := []Layer{{Name: "a.b", In: 2, Out: 2}, {Name: "a_b", In: 2, Out: 2}}
	err = filled(t, Config{}, alike...).Save(path, SaveOptions{Kohya: alike})
	require.ErrorIs(t, err, ErrConfig)
	require.ErrorContains(t, err, "lora_unet_a_b")
	require.NoError(t, filled(t, Config{}, alike[0]).Save(path, SaveOptions{Kohya: alike[:1]}))
	_, err = Load(path, alike)
	require.ErrorIs(t, err, ErrMismatch)
	require.ErrorContains(t, err, "several layers")
}
