package lora

import (
	"bytes"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

// FuzzLoad feeds any bytes to the reader; what it accepts must survive a round
// trip.
func FuzzLoad(f *testing.F) {
	pair := map[string][]int{"unet.q.lora_A.weight": {2, 3}, "unet.q.lora_B.weight": {4, 2}, "unet.q.alpha": {}}
	f.Add(file(f, nil, 1, pair))
	f.Add(file(f, map[string]string{peftKey: `{"unet.r": 2, "unet.alpha_pattern": {"(a*)*q": 1}}`}, 1, pair))
	f.Add(file(f, map[string]string{ownKey: `{"prefix":"unet","weight":5,"scale_one":5,"alpha":8}`}, 1, pair))
	f.Add(file(f, nil, 1, map[string][]int{
		"unet.a.processor.to_q_lora.down.weight": {2, 3}, "unet.a.processor.to_q_lora.up.weight": {4, 2}, "text_encoder.q.lora_A.weight": {1, 1},
	}))
	f.Fuzz(func(t *testing.T, content []byte) {
		a, err := load(fstest.MapFS{"a": {Data: content}}, "a", nil, LoadOptions{})
		if err != nil {
			return
		}
		require.NoError(t, a.Fits(a.Layers()))
		list, header, err := a.encode(SaveOptions{})
		if err != nil {
			return // a weight times an alpha may overflow
		}
		var again bytes.Buffer // not a file: fsync is a hundred times slower than the rest
		require.NoError(t, safetensors.Write(&again, list, header))
		b, err := load(fstest.MapFS{"a": {Data: again.Bytes()}}, "a", a.Layers(), LoadOptions{})
		require.NoError(t, err)
		a.skipped = nil
		require.Equal(t, a, b)
	})
}

// FuzzLoadPublished does the same with the namings that need a generator's layers,
// and saves in kohya's.
func FuzzLoadPublished(f *testing.F) {
	const qkv = "lora_unet_double_blocks_0_img_attn_qkv"
	pair := func(a, b string) map[string][]int { return map[string][]int{a: {2, 2}, b: {6, 2}} }
	kohyas := map[string][]int{qkv + ".lora_down.weight": {2, 2}, qkv + ".lora_up.weight": {6, 2}, qkv + ".alpha": {}}
	f.Add(file(f, nil, 1, kohyas))
	f.Add(file(f, map[string]string{ownKey: `{"weight":5,"scale_one":5,"alpha":8,"ranks":{"transformer_blocks.0.attn.to_q":1,"transformer_blocks.0.attn.to_k":1}}`}, 1, kohyas))
	f.Add(file(f, map[string]string{ownKey: `{"weight":5,"scale_one":5,"alpha":8,"ranks":{"transformer_blocks.0.attn.to_q":-1,"transformer_blocks.0.attn.to_k":9}}`}, 1, kohyas))
	f.Add(file(f, nil, 1, pair("diffusion_model.double_blocks.0.img_attn.qkv.lora_A.weight", "diffusion_model.double_blocks.0.img_attn.qkv.lora_B.weight")))
	f.Add(file(f, nil, 1, pair("double_blocks.0.processor.qkv_lora1.down.weight", "double_blocks.0.processor.qkv_lora1.up.weight")))
	f.Add(file(f, nil, 1, map[string][]int{
		"lora_unet_down_blocks_0_resnets_0_conv1.lora_down.weight": {2, 2, 1, 1}, "lora_unet_down_blocks_0_resnets_0_conv1.lora_mid.weight": {2, 2, 3, 3},
		"lora_unet_down_blocks_0_resnets_0_conv1.lora_up.weight": {3, 2, 1, 1}, "lora_te_x.alpha": {},
	}))
	layers := slices.Concat(tinyFlux, tinyUnet)
	f.Fuzz(func(t *testing.T, content []byte) {
		a, err := load(fstest.MapFS{"a": {Data: content}}, "a", layers, LoadOptions{})
		if err != nil {
			return
		}
		require.NoError(t, a.Fits(layers))
		list, header, err := a.encode(SaveOptions{Kohya: layers})
		if err != nil {
			return // a weight times an alpha may overflow
		}
		var again bytes.Buffer
		require.NoError(t, safetensors.Write(&again, list, header))
		b, err := load(fstest.MapFS{"a": {Data: again.Bytes()}}, "a", layers, LoadOptions{})
		require.NoError(t, err)
		require.Equal(t, a.Layers(), b.Layers())
	})
}

// FuzzConfig feeds any text to the reader of PEFT's settings.
func FuzzConfig(f *testing.F) {
	f.Add([]byte(`{"r": 4, "lora_alpha": 4, "alpha_pattern": {"a.q": 16, "q": 2}, "init_lora_weights": true}`), "a.q")
	f.Add([]byte(`{"rank_pattern": {"(a|b)*": 1, "q": null}, "use_dora": true, "x": [1]}`), "b")
	f.Fuzz(func(t *testing.T, text []byte, name string) {
		c, err := parseConfig(text, []string{"x"})
		if err != nil {
			require.ErrorIs(t, err, ErrFormat)
			return
		}
		_, _ = c.alpha(name, 4)
	})
}
