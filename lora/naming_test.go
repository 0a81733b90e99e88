package lora

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

// spelt is a module in one of the spellings of its name, and the layers that it is.
type spelt struct {
	module, down, up string
	layers           []Layer
}

// spellings of modules of tinyFlux, one line for each way of a naming.
func spellings() []spelt {
	const qkv, linear1 = "double_blocks.0.img_attn.qkv", "single_blocks.0.linear1"
	attn, single, all := tinyFlux[9:12], tinyFlux[1:4], tinyFlux[1:5] // in the order of the rows
	out, first := tinyFlux[8:9], tinyFlux[9:10]
	return []spelt{
		{"lora_unet_" + undotted(qkv), ".lora_down.weight", ".lora_up.weight", attn},
		{"lora_unet_" + undotted(linear1), ".lora_down.weight", ".lora_up.weight", all},
		{"diffusion_model." + qkv, ".lora_A.weight", ".lora_B.weight", attn},
		{"diffusion_model." + linear1, ".lora_down.weight", ".lora_up.weight", all},
		{"diffusion_model." + linear1, ".lora.down.weight", ".lora.up.weight", all},
		{qkv, ".lora_A.weight", ".lora_B.weight", attn},
		{"transformer." + linear1, ".lora_down.weight", ".lora_up.weight", all},
		{"double_blocks.0.processor", ".qkv_lora1.down.weight", ".qkv_lora1.up.weight", attn},
		{"single_blocks.0.processor", ".qkv_lora.down.weight", ".qkv_lora.up.weight", single},
		{"single_blocks.0.processor", ".proj_lora.down.weight", ".proj_lora.up.weight", tinyFlux[5:6]},
		{"double_blocks.0.processor", ".proj_lora1.down.weight", ".proj_lora1.up.weight", out},
		{"lora_transformer_transformer_blocks_0_attn_to_q", ".lora_down.weight", ".lora_up.weight", first},
		{"lora_transformer.transformer_blocks.0.attn.to_q", ".lora_down.weight", ".lora_up.weight", first},
		{"transformer." + qkv + ".0", ".lora_down.weight", ".lora_up.weight", first},
		{"transformer." + linear1 + ".3", ".lora_down.weight", ".lora_up.weight", tinyFlux[4:5]},
		{"lycoris_transformer_blocks_0_attn_to_out_0", ".lora_down.weight", ".lora_up.weight", out},
		{"transformer.transformer_blocks.0.attn.processor.to_out", "_lora.down.weight", "_lora.up.weight", out},
		{"transformer_blocks.0.attn.to_out.0", ".lora.down.weight", ".lora.up.weight", out},
	}
}

// TestNamings reads one module in every spelling of its name: which layers it is,
// and which rows of B are each one's.
func TestNamings(t *testing.T) {
	for _, test := range spellings() {
		t.Run(test.module+test.down, func(t *testing.T) {
			in, out := test.layers[0].In, 0
			for _, l := range test.layers {
				out += l.Out
			}
			b := make([]float32, 3*out)
			for i := range b {
				b[i] = float32(i + 1)
			}
			content := encoded(t,
				safetensors.FromFloat32s(test.module+test.down, make([]float32, 3*in), 3, in),
				safetensors.FromFloat32s(test.module+test.up, b, out, 3))
			a, err := load(fstest.MapFS{"a": {Data: content}}, "a", tinyFlux, LoadOptions{})
			require.NoError(t, err)
			require.ElementsMatch(t, test.layers, a.Layers())
			row := 0
			for _, l := range test.layers {
				p := a.parts[slices.Index(a.Layers(), l)]
				require.Equal(t, b[3*row:3*(row+p.Out)], p.b, p.Name)
				require.Equal(t, 1.0, scale(p))
				row += l.Out
			}
			require.Equal(t, "transformer", a.Prefix())
		})
	}
}

// encoded is a file of these tensors.
func encoded(t *testing.T, list ...safetensors.Tensor) []byte {
	var b writer
	require.NoError(t, safetensors.Write(&b, list, nil))
	return b
}

type writer []byte

func (w *writer) Write(b []byte) (int, error) { *w = append(*w, b...); return len(b), nil }

// TestAlphaTypes reads an alpha of every type of number.
func TestAlphaTypes(t *testing.T) {
	le := binary.LittleEndian
	for dtype, data := range map[safetensors.DType][]byte{
		safetensors.F64:  le.AppendUint64(nil, math.Float64bits(3)),
		safetensors.F32:  le.AppendUint32(nil, math.Float32bits(3)),
		safetensors.F16:  {0, 0x42},
		safetensors.BF16: {0x40, 0x40},
		safetensors.I64:  le.AppendUint64(nil, 3),
		safetensors.I32:  le.AppendUint32(nil, 3),
		safetensors.I16:  {3, 0},
		safetensors.I8:   {3},
		safetensors.U8:   {3},
	} {
		for _, shape := range [][]int{nil, {1}, {1, 1}} {
			content := encoded(t,
				safetensors.FromFloat32s("unet.q.lora_A.weight", make([]float32, 4), 2, 2),
				safetensors.FromFloat32s("unet.q.lora_B.weight", make([]float32, 4), 2, 2),
				safetensors.Tensor{Name: "unet.q.alpha", DType: dtype, Shape: shape, Data: data})
			a, err := load(fstest.MapFS{"a": {Data: content}}, "a", nil, LoadOptions{})
			require.NoError(t, err, dtype)
			require.Equal(t, 1.5, scale(a.parts[0]), dtype)
		}
	}
}

// TestOtherNetworks tells text encoders' tensors from the generator's.
func TestOtherNetworks(t *testing.T) {
	pair := map[string][]int{"unet.q.lora_A.weight": {2, 3}, "unet.q.lora_B.weight": {4, 2}}
	for _, name := range []string{
		"text_encoder.text_model.x.lora_linear_layer.down.weight", "text_encoder_2.x.lora_A.weight", "text_encoders.t5xxl.transformer.x.lora_up.weight",
		"lora_te_x.lora_down.weight", "lora_te1_x.alpha", "lora_te2_x.dora_scale", "lora_te3_x.lora_up.weight", "lora_prior_te_x.alpha",
		"lora_te1.text_model.x.lora_down.weight", "te1_x.alpha", "te2.x.lora_down.weight", "clip_l.x.lora_down.weight", "t5.x.lora_down.weight",
		"bundle_emb.word.clip_l",
	} {
		shapes := map[string][]int{name: {2, 2}}
		_, err := load(fstest.MapFS{"a": {Data: file(t, nil, 1, shapes)}}, "a", nil, LoadOptions{})
		require.ErrorIs(t, err, ErrMismatch)
		require.ErrorContains(t, err, "another network")
		for k, v := range pair {
			shapes[k] = v
		}
		fsys := fstest.MapFS{"a": {Data: file(t, nil, 1, shapes)}}
		a, err := load(fsys, "a", nil, LoadOptions{})
		require.NoError(t, err, name)
		require.Equal(t, []Layer{{Name: "q", In: 3, Out: 4}}, a.Layers())
		require.Equal(t, []string{name}, a.Skipped())
		require.Equal(t, []string{name}, a.WithWeight(2).WithPrefix("x").Skipped())
		_, err = load(fsys, "a", nil, LoadOptions{Strict: true})
		require.ErrorIs(t, err, ErrMismatch)
		require.ErrorContains(t, err, name)
	}
	for _, name := range []string{"text_encoding", "tea.x", "test_x", "t5x", "clip_x", "unet.text_encoder.x"} {
		require.False(t, isOther(name), name)
	}
	require.Nil(t, (*Adapter)(nil).Skipped())
}

// A text encoder's own adapter, which somebody saved with us, is no other network's.
func TestOwnPrefixIsNoOther(t *testing.T) {
	a := filled(t, Config{Prefix: "text_encoder"}, twoLayers...)
	require.Equal(t, "text_encoder", savedPrefix(t, a, SaveOptions{}))
	list, header, err := a.encode(SaveOptions{})
	require.NoError(t, err)
	var b writer
	require.NoError(t, safetensors.Write(&b, list, header))
	again, err := load(fstest.MapFS{"a": {Data: b}}, "a", twoLayers, LoadOptions{})
	require.NoError(t, err)
	require.Equal(t, a, again)
}

// TestNamingsRefuse has names that nobody can be sure of.
func TestNamingsRefuse(t *testing.T) {
	pair := func(modules ...string) []byte {
		shapes := map[string][]int{}
		for _, m := range modules {
			shapes[m+".lora_A.weight"], shapes[m+".lora_B.weight"] = []int{2, 2}, []int{2, 2}
		}
		return file(t, nil, 1, shapes)
	}
	for name, test := range map[string]struct {
		content []byte
		layers  []Layer
		is      error
		want    string
	}{
		"no layers":       {pair("diffusion_model.double_blocks.0.img_attn.proj"), nil, ErrFormat, "the naming of ComfyUI, which needs the generator's layers"},
		"two prefixes":    {pair("unet.x", "transformer.y"), nil, ErrFormat, "not all names begin with"},
		"prefix and none": {pair("unet.x", "y"), nil, ErrFormat, `not all names begin with "unet."`},
		"another model's": {pair("diffusion_model.blocks.0.img_attn.proj"), tinyFlux, ErrMismatch, "no such layer in the naming of ComfyUI; nearest: "},
		"a mistake":       {pair("lora_unet_double_blocks_0_img_attn_prj"), tinyFlux, ErrMismatch, `"lora_unet_double_blocks_0_img_attn_proj"`},
		"twice":           {pair("transformer.transformer_blocks.0.attn.to_out.0", "transformer.transformer_blocks.0.attn.processor.to_out_lora"), tinyFlux, ErrFormat, "second adapter"},
		"wrong height":    {pair("lora_unet_double_blocks_0_img_attn_qkv"), tinyFlux, ErrMismatch, "2→6"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(fstest.MapFS{"a": {Data: test.content}}, "a", test.layers, LoadOptions{})
			require.ErrorIs(t, err, test.is)
			require.ErrorContains(t, err, test.want)
		})
	}
	for name, kind := range map[string]string{
		"x.dora_scale": "DoRA", "x.lora_magnitude_vector": "DoRA", "x.hada_w1_a": "LoHa", "x.lokr_w1": "LoKr", "x.oft_blocks": "OFT",
		"x.diff": "full difference", "x.diff_b": "bias", "x.lora_B.bias": "bias", "x.a1.weight": "GLoRA", "x.lora_embedding_A": "embeddings",
	} {
		_, err := load(fstest.MapFS{"a": {Data: file(t, nil, 1, map[string][]int{"lora_unet_" + name: {2, 2}})}}, "a", nil, LoadOptions{})
		require.ErrorIs(t, err, ErrFormat)
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.ErrorContains(t, err, kind)
		require.ErrorContains(t, err, name)
	}
}

// A convolution's kernel of 1×1 is written with and without it.
func TestKernelOfOne(t *testing.T) {
	const module = "lora_unet_down_blocks_0_attentions_0_proj_in"
	for _, one := range [][]int{nil, {1, 1}} {
		content := file(t, nil, 1, map[string][]int{
			module + ".lora_down.weight": append([]int{4, 2}, one...), module + ".lora_up.weight": append([]int{2, 4}, one...),
		})
		a, err := load(fstest.MapFS{"a": {Data: content}}, "a", tinyUnet, LoadOptions{})
		require.NoError(t, err)
		require.Equal(t, tinyUnet[:1], a.Layers())
	}
}
