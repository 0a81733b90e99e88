package lora

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

// layersOf are the layers of a fixture's generator, flux_schnell or sd14.
func layersOf(t testing.TB, name string) []Layer {
	text, err := os.ReadFile("testdata/layers_" + name + ".json")
	require.NoError(t, err)
	var layers []Layer
	require.NoError(t, json.Unmarshal(text, &layers))
	return layers
}

// source says where a layer's numbers are in a file: the tensors' names, the first
// row of B that is its, and the scale that the file gives it.
type source struct {
	layer, a, b string
	row         int
	scale       float64
}

// ab is a source of a whole module in the naming of diffusers or PEFT.
func ab(layer, module string, scale float64) source {
	return source{layer, module + ".lora_A.weight", module + ".lora_B.weight", 0, scale}
}

// downUp is the same with other endings.
func downUp(layer, module, ending string, row int, scale float64) source {
	return source{layer, module + ending + "down.weight", module + ending + "up.weight", row, scale}
}

const (
	fluxQ   = "transformer_blocks.0.attn.to_q"
	fluxK   = "transformer_blocks.0.attn.to_k"
	fluxV   = "transformer_blocks.0.attn.to_v"
	fluxOut = "transformer_blocks.0.attn.to_out.0"
	fluxOne = "single_transformer_blocks.0.attn.to_q"
	sdAttn  = "down_blocks.0.attentions.0.transformer_blocks.0."
	kohyaQ  = "lora_unet_double_blocks_0_img_attn_"
)

// qkvAndOut are the sources of a fused module and of a plain one.
func qkvAndOut(qkv, out, a, b string, scale float64) []source {
	list := []source{{fluxOut, out + a, out + b, 0, scale}}
	for i, l := range []string{fluxQ, fluxK, fluxV} {
		list = append(list, source{l, qkv + a, qkv + b, 48 * i, scale})
	}
	return list
}

// inputs are files that people have; see testdata/README.md.
var inputs = []struct {
	file    string
	sources []source
	skipped int
	err     string // instead; of ErrFormat
	is      error  // besides ErrFormat
}{
	{file: "flux_alpha_scalars", sources: []source{ab(fluxQ, "transformer."+fluxQ, 0.5), ab(fluxOne, "transformer."+fluxOne, 0.5)}},
	{file: "flux_and_text_encoder", skipped: 2, sources: []source{
		ab(fluxQ, "transformer."+fluxQ, 1), ab(fluxOut, "transformer."+fluxOut, 1), ab(fluxOne, "transformer."+fluxOne, 1),
	}},
	{file: "flux_bf16", sources: []source{ab(fluxQ, "transformer."+fluxQ, 1), ab(fluxOne, "transformer."+fluxOne, 1)}},
	{file: "flux_f16", sources: []source{ab(fluxQ, "transformer."+fluxQ, 1), ab(fluxOne, "transformer."+fluxOne, 1)}},
	{file: "flux_f8_e4m3", err: "F8_E4M3"},
	{file: "flux_comfy_AB", sources: qkvAndOut("diffusion_model.double_blocks.0.img_attn.qkv",
		"diffusion_model.double_blocks.0.img_attn.proj", ".lora_A.weight", ".lora_B.weight", 1)},
	{file: "flux_default_name", sources: []source{{fluxQ,
		"base_model.model." + fluxQ + ".lora_A.default.weight", "base_model.model." + fluxQ + ".lora_B.default.weight", 0, 1}}},
	{file: "flux_dora", err: "DoRA", is: errors.ErrUnsupported},
	{file: "flux_lora_bias", err: "bias", is: errors.ErrUnsupported},
	{file: "flux_kohya", sources: qkvAndOut(kohyaQ+"qkv", kohyaQ+"proj", ".lora_down.weight", ".lora_up.weight", 0.5)},
	{file: "flux_kohya_te1", skipped: 3, sources: qkvAndOut(kohyaQ+"qkv", kohyaQ+"proj", ".lora_down.weight", ".lora_up.weight", 0.5)},
	{file: "flux_kohya_alpha_f64", sources: []source{downUp(fluxOut, kohyaQ+"proj", ".lora_", 0, 1)}},
	{file: "flux_kohya_alpha_i64", sources: []source{downUp(fluxOut, kohyaQ+"proj", ".lora_", 0, 1)}},
	{file: "flux_xlabs", sources: qkvAndOut("double_blocks.0.processor.qkv_lora1", "double_blocks.0.processor.proj_lora1",
		".down.weight", ".up.weight", 1)},
	{file: "sd_and_text_encoder", skipped: 2, sources: []source{
		ab(sdAttn+"attn1.to_q", "unet."+sdAttn+"attn1.to_q", 1), ab(sdAttn+"attn2.to_k", "unet."+sdAttn+"attn2.to_k", 1),
	}},
	{file: "sd_attn_processors", sources: []source{
		downUp(sdAttn+"attn1.to_q", "unet."+sdAttn+"attn1.processor.to_q", "_lora.", 0, 1),
		downUp(sdAttn+"attn1.to_out.0", "unet."+sdAttn+"attn1.processor.to_out", "_lora.", 0, 1),
	}},
	{file: "sd_kohya", skipped: 3, sources: []source{
		downUp(sdAttn+"attn1.to_q", "lora_unet_"+undotted(sdAttn+"attn1.to_q"), ".lora_", 0, 0.5),
		downUp(sdAttn+"attn2.to_k", "lora_unet_"+undotted(sdAttn+"attn2.to_k"), ".lora_", 0, 0.5),
	}},
	{file: "sd_wrong_prefix", sources: []source{
		ab(sdAttn+"attn1.to_q", "transformer."+sdAttn+"attn1.to_q", 1), ab(sdAttn+"attn2.to_k", "transformer."+sdAttn+"attn2.to_k", 1),
	}},
	{file: "peft_plain/adapter_model", sources: peftPair(2, 2)},
	{file: "peft_order/adapter_model", sources: peftPair(4, 0.5)},
	{file: "peft_rslora/adapter_model", sources: peftPair(2, 2)},
	{file: "peft_pissa/adapter_model", err: "pissa", is: errors.ErrUnsupported},
}

func peftPair(first, second float64) []source {
	const other = "transformer_blocks.1.attn.to_q"
	return []source{ab(fluxQ, peftPrefix+"."+fluxQ, first), ab(other, peftPrefix+"."+other, second)}
}

// TestInputs reads every file, and compares each number with what the file holds.
func TestInputs(t *testing.T) {
	for _, test := range inputs {
		t.Run(test.file, func(t *testing.T) {
			path := filepath.Join("testdata", "inputs", test.file+".safetensors")
			model, prefix := "flux_schnell", "transformer"
			if strings.HasPrefix(test.file, "sd_") {
				model, prefix = "sd14", "unet"
			}
			layers := layersOf(t, model)
			a, err := Load(path, layers)
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				if test.is != nil {
					require.ErrorIs(t, err, ErrFormat)
					require.ErrorIs(t, err, test.is)
				}
				return
			}
			require.NoError(t, err)
			requireSources(t, path, a, test.sources)
			require.Equal(t, prefix, a.Prefix())
			requireSkipped(t, path, a, layers, test.skipped)
			requireSavable(t, a, layers)
			writeInput(t, test.file, a)
			if b, err := Load(path, nil); err == nil { // nothing is saved again under wrong names
				requireSavable(t, b, layers)
				require.Equal(t, a, b)
			} else {
				require.ErrorContains(t, err, "the generator's layers")
			}
		})
	}
}

// requireSources compares an adapter with the tensors of its file.
func requireSources(t *testing.T, path string, a *Adapter, sources []source) {
	f, err := safetensors.OpenFile(path)
	require.NoError(t, err)
	defer f.Close()
	require.Len(t, a.parts, len(sources))
	byLayer := map[string]part{}
	for _, p := range a.parts {
		byLayer[p.Name] = p
	}
	for _, s := range sources {
		p, ok := byLayer[s.layer]
		require.True(t, ok, s.layer)
		require.Equal(t, values(t, f, s.a), p.a)
		require.Equal(t, values(t, f, s.b)[s.row*p.rank:(s.row+p.Out)*p.rank], p.b)
		require.InDelta(t, s.scale, scale(p), 1e-12, s.layer)
	}
}

// requireSkipped sees to it that so many tensors are reported, and an error if asked.
func requireSkipped(t *testing.T, path string, a *Adapter, layers []Layer, count int) {
	require.Len(t, a.Skipped(), count)
	_, err := LoadWith(path, layers, LoadOptions{Strict: true})
	if count == 0 {
		require.NoError(t, err)
		return
	}
	require.ErrorIs(t, err, ErrMismatch)
	require.ErrorContains(t, err, a.Skipped()[0])
}

// writeInput saves what was read for check_adapters.py in internal/golden, which asks
// diffusers what it makes of the same file, if the environment names a folder for it.
func writeInput(t *testing.T, name string, a *Adapter) {
	root := os.Getenv("DUALPROCESS_ADAPTERS")
	if root == "" || strings.Contains(name, "/") { // a folder of PEFT is no pipeline's file
		return
	}
	require.NoError(t, os.MkdirAll(filepath.Join(root, "inputs"), 0o755))
	require.NoError(t, a.Save(filepath.Join(root, "inputs", name+".safetensors"), SaveOptions{Baked: true}))
}

// requireSavable saves an adapter in both namings and reads it again.
func requireSavable(t *testing.T, a *Adapter, layers []Layer) {
	for _, o := range []SaveOptions{{}, {Kohya: layers}} {
		path := filepath.Join(t.TempDir(), "a.safetensors")
		require.NoError(t, a.Save(path, o))
		b, err := Load(path, layers)
		require.NoError(t, err)
		require.Empty(t, b.Skipped())
		require.Equal(t, a.parts, b.parts)
		require.Equal(t, a.prefix, b.prefix)
	}
}

// TestInputThree reads a convolution in three, which is one of two here.
func TestInputThree(t *testing.T) {
	const module = "lora_unet_down_blocks_0_resnets_0_conv1"
	path := "testdata/inputs/sd_locon_mid.safetensors"
	layers := layersOf(t, "sd14")
	a, err := Load(path, layers)
	require.NoError(t, err)
	require.Len(t, a.parts, 1)
	p := a.parts[0]
	require.Equal(t, "down_blocks.0.resnets.0.conv1 3×3 16→16", p.String())
	require.Equal(t, 0.5, scale(p))
	f, err := safetensors.OpenFile(path)
	require.NoError(t, err)
	defer f.Close()
	down, mid := values(t, f, module+".lora_down.weight"), values(t, f, module+".lora_mid.weight") // [4, 16], [4, 4, 3, 3]
	require.Equal(t, values(t, f, module+".lora_up.weight"), p.b)
	// What a picture of one colour channel and one pixel becomes in each way.
	for c := range 16 {
		for k := range 9 {
			for i := range 4 {
				want := 0.0
				for j := range 4 {
					want += float64(down[j*16+c]) * float64(mid[(i*4+j)*9+k])
				}
				require.InDelta(t, want, float64(p.a[(i*16+c)*9+k]), 1e-6*(1+math.Abs(want)))
			}
		}
	}
	requireSavable(t, a, layers)
}

// TestInputExample reads what an earlier version of our example wrote for Stable
// Diffusion, whose prefix diffusers would pass over.
func TestInputExample(t *testing.T) {
	layers := layersOf(t, "sd14")
	a, err := Load("testdata/inputs/sd_example_adapter.safetensors", layers)
	require.NoError(t, err)
	require.Equal(t, 5.0, a.Weight())
	require.Len(t, a.parts, 4)
	require.Equal(t, 0.5, scale(a.parts[0]))
	require.Equal(t, "unet", savedPrefix(t, a, SaveOptions{}))
	requireSavable(t, a, layers)
}
