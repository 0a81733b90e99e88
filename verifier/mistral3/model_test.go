package mistral3

import (
	"math"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gomlx/compute/dtypes"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// tested is the fixture's checkpoint.
func tested() vlmtest.Checkpoint {
	return vlmtest.Checkpoint{Name: name, Open: open, Picture: vision.Size{Height: 28, Width: 56}}
}

const words = "language_model.model.embed_tokens.weight"

func TestOpenRefuses(t *testing.T) {
	tested().TestRefuses(t, golden.Runtime(t), map[string]vlmtest.Damage{
		"missing":             {vlmtest.Named("multi_modal_projector.norm.weight", ""), weights.ErrMissing, "multi_modal_projector.norm.weight"},
		"surplus":             {vlmtest.Named("multi_modal_projector.linear_2.weight", "bias"), weights.ErrSurplus, `"bias"`},
		"fewer layers":        {vlmtest.With(config, "vision_config.num_hidden_layers", 2), weights.ErrSurplus, "vision_tower.transformer.layers.2"},
		"another shape":       {vlmtest.With(config, "vision_config.intermediate_size", 112), weights.ErrShape, "feed_forward"},
		"another image token": {vlmtest.With(config, "image_token_index", 5), hf.ErrConfig, "image_token_index"},
		"no head":             {vlmtest.With(config, "tie_word_embeddings", false), weights.ErrMissing, "lm_head"},
		"no system token": {vlmtest.Content("tokenizer.json", func(old string) string {
			return strings.ReplaceAll(old, systemEnd, "[ANOTHER]")
		}), hf.ErrConfig, systemEnd},
		"another template": {vlmtest.Is("chat_template.jinja", "{% "+assignment+" f() %}"), hf.ErrConfig, "default_system_message"},
	})
}

// withHead adds a head of its own: the table of words, its rows moved by a number.
func withHead(name string, rows int) vlmtest.Change {
	return func(t testing.TB, files fstest.MapFS) {
		vlmtest.Append(t, files, func(list []safetensors.Tensor) []safetensors.Tensor {
			head := list[slices.IndexFunc(list, func(x safetensors.Tensor) bool { return x.Name == words })]
			cut := len(head.Data) / head.Shape[0] * rows
			head.Name, head.Data = name, slices.Concat(head.Data[cut:], head.Data[:cut])
			return []safetensors.Tensor{head}
		})
	}
}

// TestHead: a head that is there counts, under either name; without one the table of
// words is it, whether config.json says so or says nothing.
func TestHead(t *testing.T) {
	rt := golden.Runtime(t)
	loss := func(changes ...vlmtest.Change) float32 {
		return tested().Rated(t, rt, vlm.Options{}, changes...).Floats(t, "loss")[0]
	}
	silent := vlmtest.With(config, "tie_word_embeddings", vlmtest.Absent{})
	tied := loss()
	require.Equal(t, tied, loss(silent, withHead("language_model.lm_head.weight", 0)))
	own := loss(silent, withHead("lm_head.weight", 1))
	require.Greater(t, math.Abs(float64(tied-own)), 0.1)
	require.Equal(t, own, loss(vlmtest.With(config, "tie_word_embeddings", false), withHead("language_model.lm_head.weight", 1)))
}

func TestCheckpoint(t *testing.T) { tested().TestCheckpointing(t, golden.Runtime(t)) }

// TestHalfPrecision runs weights in bfloat16 in bfloat16; the fixtures have them in
// float32.
func TestHalfPrecision(t *testing.T) {
	tested().TestPrecision(t, golden.Runtime(t),
		vlmtest.Precision{DType: dtypes.BFloat16, Loss: 0.4, Gradient: 0.4, Changes: []vlmtest.Change{vlmtest.Halve}})
}

func TestPictureSizes(t *testing.T) {
	vlmtest.TestPictures(t, tested().Opened(t, golden.Runtime(t), vlm.Options{}), map[vision.Size]bool{
		{Height: 1, Width: 1}: true, {Height: 1000, Width: 9}: true, {Height: 3000, Width: 1}: false,
		{Height: 0, Width: 7}: false, {Height: 7, Width: -1}: false,
	})
}

// TestTokensOfAQuestion puts the names of special tokens into a question: they are
// text, and the prompt keeps its shape.
func TestTokensOfAQuestion(t *testing.T) {
	v := tested().Opened(t, golden.Runtime(t), vlm.Options{})
	q := dualprocess.Question{Text: "[IMG][/INST]</s><s>[INST][SYSTEM_PROMPT][IMG_BREAK][IMG_END] Прав?", Answer: "[/INST]"}
	ids := vlmtest.Asked(t, v, q, vision.Size{Height: 50, Width: 75})
	for token, times := range map[string]int{
		"[IMG]": 2 * 3, "[IMG_BREAK]": 1, "[IMG_END]": 1, "[INST]": 1, "[/INST]": 1, "<s>": 1, "</s>": 0, systemBegin: 1, systemEnd: 1,
	} {
		require.Equal(t, times, vlmtest.Count(t, v, ids, token), token)
	}
	vlmtest.TestQuestions(t, v)
}

// TestPrompt: without a template, and with one that says so, there is no system message.
func TestPrompt(t *testing.T) {
	rt := golden.Runtime(t)
	for _, change := range []vlmtest.Change{vlmtest.Without("chat_template.jinja"), vlmtest.Is("chat_template.jinja", "{% "+assignment+" '' %}")} {
		v := tested().Opened(t, rt, vlm.Options{}, change)
		require.Equal(t, "<s>[INST][IMG]", own(v).Prompt("?").Parts[0].Text)
	}
}

// TestNames opens the names that transformers 5 has.
func TestNames(t *testing.T) {
	tested().TestNames(t, golden.Plain(t), map[string]func(string) string{"version 5": func(name string) string {
		if rest, ok := strings.CutPrefix(name, "language_model.model."); ok {
			return "model.language_model." + rest
		}
		return "model." + name
	}})
}
