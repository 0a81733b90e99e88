package text

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// TestBucket lists what T5's published code gives for distances at the borders.
func TestBucket(t *testing.T) {
	c := T5Config{Buckets: 32, MaxDistance: 128}
	for distance, want := range map[int]int{
		0: 0, -1: 1, -7: 7, -8: 8, -11: 8, -12: 9, -16: 10, -32: 12, -64: 14, -127: 15, -128: 15, -1000: 15,
		1: 17, 7: 23, 8: 24, 16: 26, 64: 30, 128: 31, 1000: 31,
	} {
		require.Equal(t, want, c.bucket(distance), "distance %d", distance)
	}
}

func TestSummary(t *testing.T) {
	legacy, modern := CLIPConfig{EndID: 2}, CLIPConfig{EndID: 7}
	require.Equal(t, 2, legacy.Summary([]int32{8, 3, 9, 9}), "the first of the greatest")
	require.Equal(t, 1, modern.Summary([]int32{8, 7, 9, 7}), "the first end of text")
	require.Equal(t, 0, modern.Summary([]int32{8, 9}))
}

func TestPrompter(t *testing.T) {
	files := model(t)
	p, err := OpenPrompter(files, "tokenizer", 1000, 1000, CLIPPadding)
	require.NoError(t, err)
	require.Equal(t, 77, p.Length(), "what the tokenizer's own file says")

	for name, config := range map[string]string{
		"null": `{"tokenizer_class": "CLIPTokenizer", "pad_token": null}`, "none": `{"tokenizer_class": "CLIPTokenizer"}`,
	} {
		for _, special := range []string{"", `{}`, `{"pad_token": null}`} {
			files := model(t)
			delete(files, "tokenizer/special_tokens_map.json")
			if special != "" {
				files["tokenizer/special_tokens_map.json"] = &fstest.MapFile{Data: []byte(special)}
			}
			files["tokenizer/tokenizer_config.json"] = &fstest.MapFile{Data: []byte(config)}
			p, err := OpenPrompter(files, "tokenizer", 77, 1000, CLIPPadding)
			require.NoError(t, err, name)
			ids, err := p.IDs("a")
			require.NoError(t, err)
			end, _ := p.tokenizer.ID(CLIPPadding)
			require.Equal(t, int32(end), ids[76], "the class' padding")
		}
	}

	for name, test := range map[string]struct {
		file, text string
		vocabulary int
		want       string
	}{
		"small vocabulary": {"merges.txt", "", 10, "its encoder 10"},
		"unknown padding":  {"tokenizer_config.json", `{"tokenizer_class": "CLIPTokenizer", "pad_token": {"content": "<nope>"}}`, 1000, "<nope>"},
		"not JSON":         {"tokenizer_config.json", `{`, 1000, "tokenizer_config.json"},
	} {
		t.Run(name, func(t *testing.T) {
			files := model(t)
			if test.text != "" {
				files["tokenizer/"+test.file] = &fstest.MapFile{Data: []byte(test.text)}
			}
			_, err := OpenPrompter(files, "tokenizer", 77, test.vocabulary, CLIPPadding)
			require.ErrorContains(t, err, test.want)
		})
	}
	_, err = OpenPrompter(files, "nothing", 77, 1000, CLIPPadding)
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// model is the folder of a FLUX fixture.
func model(t *testing.T) fstest.MapFS {
	for _, f := range golden.Fixtures(t, golden.Generator) {
		var a about
		if f.Decode(t, &a); a.Spec.Family == "flux" {
			return f.Model(t, "model")
		}
	}
	require.Fail(t, "no FLUX fixture")
	return nil
}

func TestConfigRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"hidden_size":         `{"hidden_size": -1}`,
		"hidden_act":          `{"hidden_act": "gelu"}`,
		"layer_norm_eps":      `{"layer_norm_eps": 0}`,
		"model_type":          `{"model_type": "siglip_text_model"}`,
		"num_attention_heads": `{"hidden_size": 24, "num_attention_heads": 5}`,
	} {
		_, err := ReadCLIPConfig(fstest.MapFS{"a/config.json": {Data: []byte(text)}}, "a")
		require.ErrorIs(t, err, hf.ErrConfig)
		require.ErrorContains(t, err, name)
		require.ErrorContains(t, err, "a/config.json")
	}
	for name, text := range map[string]string{
		"feed_forward_proj":              `{}`, // the default is T5's first version
		"is_decoder":                     `{"feed_forward_proj": "gated-gelu", "is_decoder": true}`,
		"num_layers":                     `{"feed_forward_proj": "gated-gelu", "num_layers": 1000000}`,
		"relative_attention_num_buckets": `{"feed_forward_proj": "gated-gelu", "relative_attention_num_buckets": 6}`,
	} {
		_, err := ReadT5Config(fstest.MapFS{"a/config.json": {Data: []byte(text)}}, "a")
		require.ErrorIs(t, err, hf.ErrConfig)
		require.ErrorContains(t, err, name)
	}
	_, err := ReadCLIPConfig(fstest.MapFS{"a/config.json": {Data: []byte(`{"surprise": 1}`)}}, "a")
	require.ErrorContains(t, err, "surprise")
}
