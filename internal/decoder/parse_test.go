package decoder

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// The text models of real checkpoints, as their config.json have them.
const (
	qwen3B = `{"architectures": ["Qwen2_5_VLForConditionalGeneration"], "attention_dropout": 0.0, "bos_token_id": 151643,
		"hidden_act": "silu", "hidden_size": 2048, "initializer_range": 0.02, "intermediate_size": 11008,
		"max_position_embeddings": 128000, "max_window_layers": 70, "model_type": "qwen2_5_vl", "num_attention_heads": 16,
		"num_hidden_layers": 36, "num_key_value_heads": 2, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0,
		"rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]}, "sliding_window": 32768,
		"tie_word_embeddings": true, "torch_dtype": "bfloat16", "use_cache": true, "use_sliding_window": false,
		"vocab_size": 151936, "vision_config": {"depth": 32}, "image_token_id": 151655}`
	qwen5 = `{"model_type": "qwen2_5_vl", "tie_word_embeddings": false, "dtype": "bfloat16", "image_token_id": 1, "vision_config": {},
		"text_config": {"model_type": "qwen2_5_vl_text", "hidden_size": 3584, "intermediate_size": 18944, "num_attention_heads": 28,
		"num_key_value_heads": 4, "num_hidden_layers": 2, "layer_types": ["full_attention", "full_attention"], "sliding_window": null,
		"use_sliding_window": false, "max_window_layers": 28, "rms_norm_eps": 1e-6, "pad_token_id": null,
		"rope_parameters": {"mrope_section": [16, 24, 24], "rope_theta": 1000000.0, "rope_type": "default", "type": "mrope"}}}`
	qwen3VL4B = `{"model_type": "qwen3_vl", "tie_word_embeddings": true, "vision_config": {}, "image_token_id": 151655, "text_config": {
		"attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 151643, "dtype": "bfloat16", "eos_token_id": 151645,
		"head_dim": 128, "hidden_act": "silu", "hidden_size": 2560, "initializer_range": 0.02, "intermediate_size": 9728,
		"max_position_embeddings": 262144, "model_type": "qwen3_vl_text", "num_attention_heads": 32, "num_hidden_layers": 36,
		"num_key_value_heads": 8, "rms_norm_eps": 1e-06, "rope_scaling": {"mrope_interleaved": true, "mrope_section": [24, 20, 20],
		"rope_type": "default"}, "rope_theta": 5000000, "tie_word_embeddings": true, "use_cache": true, "vocab_size": 151936}}`
	qwen354B = `{"model_type": "qwen3_5", "tie_word_embeddings": true, "vision_config": {}, "image_token_id": 248056, "text_config": {
		"attention_bias": false, "attention_dropout": 0.0, "attn_output_gate": true, "dtype": "bfloat16", "eos_token_id": 248044,
		"full_attention_interval": 4, "head_dim": 256, "hidden_act": "silu", "hidden_size": 2560, "initializer_range": 0.02,
		"intermediate_size": 9216, "linear_conv_kernel_dim": 4, "linear_key_head_dim": 128, "linear_num_key_heads": 16,
		"linear_num_value_heads": 32, "linear_value_head_dim": 128, "max_position_embeddings": 262144, "mlp_only_layers": [],
		"model_type": "qwen3_5_text", "mtp_num_hidden_layers": 1, "mtp_use_dedicated_embeddings": false, "num_attention_heads": 16,
		"num_hidden_layers": 32, "num_key_value_heads": 4, "rms_norm_eps": 1e-06, "tie_word_embeddings": true, "use_cache": true,
		"vocab_size": 248320, "mamba_ssm_dtype": "float32", "rope_parameters": {"mrope_interleaved": true,
		"mrope_section": [11, 11, 10], "rope_type": "default", "rope_theta": 10000000, "partial_rotary_factor": 0.25}}}`
	qwen34B = `{"architectures": ["Qwen3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 151643,
		"eos_token_id": 151645, "head_dim": 128, "hidden_act": "silu", "hidden_size": 2560, "initializer_range": 0.02,
		"intermediate_size": 9728, "max_position_embeddings": 40960, "max_window_layers": 36, "model_type": "qwen3",
		"num_attention_heads": 32, "num_hidden_layers": 36, "num_key_value_heads": 8, "rms_norm_eps": 1e-06, "rope_scaling": null,
		"rope_theta": 1000000, "sliding_window": null, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
		"transformers_version": "4.51.0", "use_cache": true, "use_sliding_window": false, "vocab_size": 151936}`
	llava7B = `{"model_type": "llava", "tie_word_embeddings": false, "vision_config": {}, "text_config": {
		"_name_or_path": "lmsys/vicuna-7b-v1.5", "architectures": ["LlamaForCausalLM"], "max_position_embeddings": 4096,
		"model_type": "llama", "rms_norm_eps": 1e-05, "torch_dtype": "float16", "vocab_size": 32064}, "vocab_size": 32064}`
	pixtral12B = `{"model_type": "llava", "vision_config": {}, "text_config": {"head_dim": 128, "hidden_size": 5120,
		"intermediate_size": 14336, "is_composition": true, "max_position_embeddings": 1024000, "model_type": "mistral",
		"num_hidden_layers": 40, "num_key_value_heads": 8, "rms_norm_eps": 1e-05, "rope_theta": 1000000000.0,
		"sliding_window": null, "vocab_size": 131072}}`
	idefics8B = `{"model_type": "idefics2", "tie_word_embeddings": false, "vision_config": {}, "text_config": {
		"max_position_embeddings": 32768, "model_type": "mistral", "pad_token_id": 0, "rms_norm_eps": 1e-05,
		"sliding_window": 4096, "torch_dtype": "bfloat16", "vocab_size": 32003}}`
	gemma4B = `{"model_type": "gemma3", "vision_config": {}, "text_config": {"hidden_size": 2560, "intermediate_size": 10240,
		"model_type": "gemma3_text", "num_hidden_layers": 34, "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
		"sliding_window": 1024}}`
	gemma5 = `{"model_type": "gemma3", "vision_config": {}, "text_config": {"model_type": "gemma3_text", "num_hidden_layers": 3,
		"_sliding_window_pattern": 2, "sliding_window_pattern": 2, "attn_logit_softcapping": null, "use_bidirectional_attention": false,
		"layer_types": ["sliding_attention", "full_attention", "sliding_attention"], "rope_parameters": {
		"full_attention": {"factor": 4.0, "rope_theta": 2e6, "rope_type": "linear"}, "sliding_attention": {"rope_theta": 3e4, "rope_type": "default"}}}}`
	gemma2B = `{"architectures": ["Gemma2ForCausalLM"], "attention_bias": false, "attn_logit_softcapping": 50.0,
		"cache_implementation": "hybrid", "final_logit_softcapping": 30.0, "head_dim": 256, "hidden_act": "gelu_pytorch_tanh",
		"hidden_activation": "gelu_pytorch_tanh", "hidden_size": 2304, "intermediate_size": 9216, "model_type": "gemma2",
		"num_attention_heads": 8, "num_hidden_layers": 26, "num_key_value_heads": 4, "query_pre_attn_scalar": 256,
		"rms_norm_eps": 1e-06, "rope_theta": 10000.0, "sliding_window": 4096, "vocab_size": 256000}`
)

var outside = []string{"vision_config", "image_token_id"}

func parsed(t *testing.T, data string) Config {
	t.Helper()
	c, err := ParseConfig([]byte(data), outside...)
	require.NoError(t, err)
	return c
}

func TestParseConfig(t *testing.T) {
	c := parsed(t, qwen3B)
	assert.Equal(t, []int{36, 2048, 11008, 16, 2, 128, 151936}, []int{c.Layers, c.Hidden, c.Intermediate, c.Heads, c.KVHeads, c.HeadDim, c.Vocabulary})
	assert.Equal(t, []bool{true, false, false, true, false}, []bool{c.QKVBias, c.OutBias, c.MLPBias, c.TiedHead, c.UnitOffset})
	assert.Equal(t, []int{16, 24, 24}, c.Sections)
	assert.Equal(t, make([]int, 36), c.Windows)
	assert.Equal(t, Rotary{1e6, 1}, c.Rotary[35])

	c = parsed(t, qwen5)
	assert.Equal(t, []int{16, 24, 24}, c.Sections)
	assert.Equal(t, Rotary{1e6, 1}, c.Rotary[1])
	assert.Equal(t, 152064, c.Vocabulary)

	c = parsed(t, llava7B)
	assert.Equal(t, []int{32, 4096, 11008, 32, 32, 128, 32064}, []int{c.Layers, c.Hidden, c.Intermediate, c.Heads, c.KVHeads, c.HeadDim, c.Vocabulary})
	assert.Equal(t, 1e-5, c.Epsilon)
	assert.False(t, c.TiedHead || c.QKVBias)

	c = parsed(t, pixtral12B)
	assert.Equal(t, []int{32, 8, 128}, []int{c.Heads, c.KVHeads, c.HeadDim})
	assert.Equal(t, make([]int, 40), c.Windows)
	assert.Equal(t, Rotary{1e9, 1}, c.Rotary[0])

	c = parsed(t, idefics8B)
	assert.Equal(t, 4096, c.Windows[31])
	assert.Equal(t, 14336, c.Intermediate)
}

func TestParseQwen3(t *testing.T) {
	c := parsed(t, qwen34B)
	assert.Equal(t, []int{36, 2560, 9728, 32, 8, 128, 151936}, []int{c.Layers, c.Hidden, c.Intermediate, c.Heads, c.KVHeads, c.HeadDim, c.Vocabulary})
	assert.Equal(t, []bool{true, true, false, false}, []bool{c.TiedHead, c.QKNorm, c.QKVBias, c.OutBias})
	assert.Equal(t, make([]int, 36), c.Windows)
	assert.Equal(t, Rotary{1e6, 1}, c.Rotary[35])

	large := parsed(t, string(with(t, qwen34B, object{ // Qwen3-8B, as version 5 of transformers writes it
		"hidden_size": 4096, "intermediate_size": 12288, "tie_word_embeddings": false, "rope_theta": nil, "dtype": "bfloat16",
		"layer_types": slices.Repeat([]string{"full_attention"}, 36), "rope_parameters": object{"rope_theta": 1000000, "rope_type": "default"},
	})))
	assert.Equal(t, []int{4096, 12288, 128}, []int{large.Hidden, large.Intermediate, large.HeadDim})
	assert.Equal(t, []any{false, Rotary{1e6, 1}}, []any{large.TiedHead, large.Rotary[0]})

	for _, sizes := range [][3]int{{2048, 6144, 28}, {2560, 9728, 36}, {4096, 12288, 36}} { // Qwen3-VL 2B, 4B, 8B
		tied := sizes[0] < 4096
		c := parsed(t, string(with(t, qwen3VL4B, object{
			"hidden_size": sizes[0], "intermediate_size": sizes[1], "num_hidden_layers": sizes[2],
			"tie_word_embeddings": tied, ".tie_word_embeddings": tied,
		})))
		assert.Equal(t, sizes, [3]int{c.Hidden, c.Intermediate, c.Layers})
		assert.Equal(t, []bool{tied, true, true}, []bool{c.TiedHead, c.QKNorm, c.Interleaved})
		assert.Equal(t, []int{24, 20, 20}, c.Sections)
		assert.Equal(t, Rotary{5e6, 1}, c.Rotary[0])
	}
	newer := parsed(t, string(with(t, qwen3VL4B, object{"rope_theta": nil, "rope_scaling": nil, "rope_parameters": object{
		"mrope_interleaved": true, "mrope_section": []int{24, 20, 20}, "rope_theta": 7e6, "rope_type": "default",
	}})))
	assert.Equal(t, Rotary{7e6, 1}, newer.Rotary[0])
}

func TestParseQwen35(t *testing.T) {
	c := parsed(t, qwen354B)
	assert.Equal(t, []bool{true, true, true, false}, c.Recurrent[28:])
	assert.Equal(t, Delta{KeyHeads: 16, ValueHeads: 32, KeyDim: 128, ValueDim: 128, Kernel: 4}, c.Delta)
	assert.Equal(t, []int{64, 256, 4}, []int{c.RotaryDim, c.HeadDim, c.KVHeads})
	assert.True(t, c.TiedHead && c.UnitOffset && c.QKNorm && c.OutputGate && c.Interleaved && !c.PostNorms)
	assert.Equal(t, Rotary{1e7, 1}, c.Rotary[0])
	named := parsed(t, string(with(t, qwen354B, object{"num_hidden_layers": 2, "layer_types": []string{"full_attention", "linear_attention"}})))
	assert.Equal(t, []bool{false, true}, named.Recurrent)
}

func TestParseGemma(t *testing.T) {
	c := parsed(t, gemma4B)
	assert.Equal(t, []int{34, 2560, 10240, 8, 4, 256, 262208}, []int{c.Layers, c.Hidden, c.Intermediate, c.Heads, c.KVHeads, c.HeadDim, c.Vocabulary})
	assert.True(t, c.TiedHead && c.UnitOffset && c.PostNorms && c.QKNorm)
	assert.Equal(t, []int{1024, 1024, 1024, 1024, 1024, 0, 1024}, c.Windows[:7])
	assert.Equal(t, []Rotary{{1e4, 1}, {1e6, 8}}, c.Rotary[4:6])
	assert.Equal(t, []float64{math.Sqrt(2560), 1. / 16, 0, 0}, []float64{c.EmbedScale, c.AttentionScale, c.AttentionCap, c.LogitCap})

	c = parsed(t, gemma5)
	assert.Equal(t, []int{4096, 0, 4096}, c.Windows)
	assert.Equal(t, []Rotary{{3e4, 1}, {2e6, 4}, {3e4, 1}}, c.Rotary)

	c = parsed(t, gemma2B)
	assert.Equal(t, []int{4096, 0, 4096}, c.Windows[:3])
	assert.Equal(t, []float64{50, 30}, []float64{c.AttentionCap, c.LogitCap})
	assert.True(t, c.TiedHead && !c.QKNorm)
	assert.Equal(t, Rotary{1e4, 1}, c.Rotary[1])
}

// with returns a configuration with some fields of its text model changed, or, for
// those that begin with a dot, of the object around it.
func with(t *testing.T, data string, changes map[string]any) []byte {
	t.Helper()
	var outer map[string]any
	require.NoError(t, json.Unmarshal([]byte(data), &outer))
	text := outer
	if nested, ok := outer["text_config"].(map[string]any); ok {
		text = nested
	}
	for name, value := range changes {
		if name[0] == '.' {
			outer[name[1:]] = value
		} else {
			text[name] = value
		}
	}
	changed, err := json.Marshal(outer)
	require.NoError(t, err)
	return changed
}

type object = map[string]any

func TestParseConfigRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		data    string
		changes object
		want    string
	}{
		"kind":               {gemma2B, object{"model_type": "phi"}, "model_type is phi"},
		"plain qwen2":        {gemma2B, object{"model_type": "qwen2"}, "model_type is qwen2"},
		"unknown field":      {llava7B, object{"tail": 1}, `"tail"`},
		"unknown outside":    {llava7B, object{".tail": 1}, `"tail"`},
		"activation":         {llava7B, object{"hidden_act": "relu"}, "hidden_act is relu"},
		"gemma's activation": {gemma4B, object{"hidden_activation": "quick_gelu"}, "hidden_act is quick_gelu"},
		"yarn":               {qwen3B, object{"rope_scaling": object{"type": "yarn", "factor": 4, "beta_fast": 1}}, "rope_scaling.rope_type is yarn"},
		"llama3":             {llava7B, object{"rope_parameters": object{"rope_type": "llama3"}}, "rope_parameters.rope_type is llama3"},
		"local scaling":      {gemma5, object{"rope_parameters": object{"sliding_attention": object{"rope_type": "dynamic"}}}, "sliding_attention.rope_type is dynamic"},
		"beside local":       {gemma5, object{"rope_parameters": object{"sliding_attention": nil, "full_attention": object{}, "x": 1}}, "rope_parameters is x"},
		"no factor":          {llava7B, object{"rope_scaling": object{"type": "linear"}}, "rope_scaling.factor is missing"},
		"factor 0":           {llava7B, object{"rope_scaling": object{"type": "linear", "factor": 0}}, "factor is 0"},
		"lone factor":        {llava7B, object{"rope_scaling": object{"factor": 2}}, "rope_scaling.factor is 2"},
		"scaling's field":    {llava7B, object{"rope_scaling": object{"type": "linear", "factor": 2, "tail": 1}}, `"tail"`},
		"two scalings":       {llava7B, object{"rope_scaling": object{"type": "default"}, "rope_parameters": object{"type": "default"}}, "both given"},
		"sections":           {qwen3B, object{"rope_scaling": object{"type": "mrope", "mrope_section": []int{16, 24, 25}}}, "mrope_section is [16 24 25]"},
		"no gate":            {qwen354B, object{"attn_output_gate": false}, "attn_output_gate is false"},
		"no attention":       {qwen354B, object{"full_attention_interval": 33}, "no full_attention"},
		"interval":           {qwen354B, object{"full_attention_interval": 0}, "full_attention_interval is 0"},
		"other layers":       {qwen354B, object{"layer_types": slices.Repeat([]string{"sliding_attention"}, 32)}, "layer_types is sliding_attention"},
		"fewer layers":       {qwen354B, object{"layer_types": []string{"full_attention"}}, "layer_types are 1"},
		"experts":            {qwen354B, object{"mlp_only_layers": []int{3}}, "mlp_only_layers is [3]"},
		"value heads":        {qwen354B, object{"linear_num_value_heads": 24}, "linear_num_value_heads 24"},
		"kernel":             {qwen354B, object{"linear_conv_kernel_dim": 1}, "linear_conv_kernel_dim is 1"},
		"part of a head":     {qwen354B, object{"rope_parameters": object{"partial_rotary_factor": 2}}, "partial_rotary_factor is 2"},
		"odd part":           {qwen354B, object{"rope_parameters": object{"partial_rotary_factor": 0.004}}, "partial_rotary_factor gives 1"},
		"no turns":           {qwen3VL4B, object{"rope_scaling": object{"mrope_interleaved": false}}, "mrope_interleaved is false"},
		"sum of sections":    {qwen3VL4B, object{"rope_scaling": object{"mrope_section": []int{24, 20, 21}}}, "mrope_section is [24 20 21]"},
		"window of qwen3-vl": {qwen3VL4B, object{"layer_types": slices.Repeat([]string{"sliding_attention"}, 36)}, "layer_types has sliding_attention"},
		"untied outside":     {qwen3VL4B, object{".tie_word_embeddings": false}, "tie_word_embeddings is false"},
		"window of qwen3":    {qwen34B, object{"layer_types": slices.Repeat([]string{"sliding_attention"}, 36)}, "sliding_window is 0"},
		"two sections":       {qwen3B, object{"rope_scaling": object{"type": "mrope", "mrope_section": []int{32, 32}}}, "mrope_section is [32 32]"},
		"sections elsewhere": {llava7B, object{"rope_scaling": object{"mrope_section": []int{16, 24, 24}}}, `rope_scaling: unknown field "mrope_section"`},
		"partial rotary":     {llava7B, object{"partial_rotary_factor": 0.5}, "partial_rotary_factor"},
		"theta":              {llava7B, object{"rope_theta": -1}, "rope_theta is -1"},
		"no theta":           {llava7B, object{"rope_theta": nil}, "rope_theta is null"},
		"layer type":         {gemma5, object{"layer_types": []string{"full_attention", "chunked_attention", "full_attention"}}, "layer_types is chunked_attention"},
		"layer types":        {gemma5, object{"layer_types": []string{"full_attention"}}, "layer_types are 1"},
		"ignored types":      {idefics8B, object{"num_hidden_layers": 1, "layer_types": []string{"full_attention"}}, "layer_types has full_attention"},
		"no window":          {gemma4B, object{"sliding_window": nil}, "sliding_window is 0"},
		"pattern":            {gemma4B, object{"sliding_window_pattern": 0}, "sliding_window_pattern is 0"},
		"bidirectional":      {gemma4B, object{"use_bidirectional_attention": true}, "use_bidirectional_attention"},
		"caps of gemma3":     {gemma4B, object{"attn_logit_softcapping": 50}, "attn_logit_softcapping"},
		"cap":                {gemma2B, object{"final_logit_softcapping": -1}, "final_logit_softcapping is -1"},
		"heads":              {llava7B, object{"num_key_value_heads": 5}, "num_key_value_heads 5"},
		"no heads":           {llava7B, object{"num_attention_heads": 0}, "num_attention_heads is 0"},
		"odd heads":          {llava7B, object{"head_dim": 7}, "head_dim is 7"},
		"width":              {llava7B, object{"num_attention_heads": 33}, "hidden_size 4096"},
		"head of qwen":       {qwen3B, object{"head_dim": 64}, "head_dim is 64"},
		"layers":             {llava7B, object{"num_hidden_layers": 1 << 40}, "num_hidden_layers"},
		"epsilon":            {llava7B, object{"rms_norm_eps": 0}, "rms_norm_eps is 0"},
		"scale":              {gemma4B, object{"query_pre_attn_scalar": 0}, "query_pre_attn_scalar"},
		"type":               {llava7B, object{"hidden_size": "4096"}, "hidden_size"},
		"tied twice":         {gemma4B, object{"tie_word_embeddings": true, ".tie_word_embeddings": false}, "tie_word_embeddings is false"},
		"decoder":            {llava7B, object{"add_cross_attention": true}, "add_cross_attention"},
		"no object":          {llava7B, object{".text_config": 3}, "text_config"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseConfig(with(t, test.data, test.changes), outside...)
			require.ErrorIs(t, err, hf.ErrConfig)
			assert.ErrorContains(t, err, test.want)
		})
	}
	_, err := ParseConfig([]byte(`[]`))
	assert.Error(t, err)
}

func TestParseConfigVariants(t *testing.T) {
	parse := func(data string, changes object) Config {
		c, err := ParseConfig(with(t, data, changes), outside...)
		require.NoError(t, err, changes)
		return c
	}
	c := parse(llava7B, object{"attention_bias": true, "mlp_bias": true, "tie_word_embeddings": true})
	assert.True(t, c.QKVBias && c.OutBias && c.MLPBias && c.TiedHead)
	c = parse(llava7B, object{"model_type": "mistral", "num_key_value_heads": nil, "rope_scaling": object{"type": "linear", "factor": 2}})
	assert.Equal(t, []int{32, 4096}, []int{c.KVHeads, c.Windows[0]})
	assert.Equal(t, Rotary{1e4, 2}, c.Rotary[0])
	c = parse(qwen3B, object{"use_sliding_window": true, "max_window_layers": 35})
	assert.Equal(t, []int{0, 32768}, c.Windows[34:])
	c = parse(idefics8B, object{"tie_word_embeddings": true}) // the object around decides
	assert.False(t, c.TiedHead)
	assert.False(t, parse(gemma4B, object{".tie_word_embeddings": false}).TiedHead)
	assert.Equal(t, 0., parse(gemma2B, object{"final_logit_softcapping": nil}).LogitCap)
	assert.Equal(t, Rotary{5e5, 1}, parse(llava7B, object{"rope_parameters": object{"rope_theta": 5e5, "rope_type": "default"}}).Rotary[0])
	assert.Equal(t, Rotary{7e3, 1}, parse(gemma4B, object{"rope_local_base_freq": 7e3}).Rotary[0])
}

// FuzzParseConfig: whatever comes, a configuration that is accepted makes sense.
func FuzzParseConfig(f *testing.F) {
	for _, data := range []string{qwen3B, qwen5, qwen34B, qwen3VL4B, qwen354B, llava7B, pixtral12B, ministral3B, idefics8B, gemma4B, gemma5, gemma2B} {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseConfig(data, outside...)
		if err == nil {
			require.NoError(t, c.check())
			require.Len(t, c.Windows, c.Layers)
		}
	})
}
