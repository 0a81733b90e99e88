package qwen25vl

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/vlm/qwen"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// tested is the fixture's checkpoint. The windows of its picture are cut at the
// right and at the bottom.
func tested() vlmtest.Checkpoint {
	return vlmtest.Checkpoint{Name: nameInFixtures, Open: open, Picture: vision.Size{Height: 90, Width: 144}}
}

func TestOpenRefuses(t *testing.T) {
	const tokens = "tokenizer.json"
	tested().TestRefuses(t, golden.Plain(t), map[string]vlmtest.Damage{
		"more blocks":    {vlmtest.With(modelFile, "vision_config.depth", 5), weights.ErrMissing, "visual.blocks.4.norm1.weight"},
		"fewer blocks":   {vlmtest.With(modelFile, "vision_config.depth", 3), weights.ErrSurplus, "visual.blocks.3"},
		"another kernel": {vlmtest.With(modelFile, "vision_config.hidden_size", 64), weights.ErrShape, "visual.patch_embed.proj.weight"},
		"another head":   {vlmtest.With(modelFile, "vocab_size", 740), weights.ErrShape, "lm_head.weight"},
		"image token":    {vlmtest.With(modelFile, "image_token_id", 711), hf.ErrConfig, "image_token_id"},
		"no such token": {vlmtest.Content(tokens, func(old string) string {
			return strings.ReplaceAll(old, qwen.VisionStart, "<|vision_begin|>")
		}), hf.ErrConfig, qwen.VisionStart},
		"no picture": {vlmtest.Without(pictureFile), fs.ErrNotExist, pictureFile},
	})
}

func TestTiedHead(t *testing.T) {
	tested().TestHead(t, golden.Plain(t), "model.embed_tokens.weight", "lm_head.weight", vlmtest.With(modelFile, "tie_word_embeddings", true))
}

// TestNames opens a checkpoint with the names that transformers has had in memory
// since 4.52, and that some have saved.
func TestNames(t *testing.T) {
	tested().TestNames(t, golden.Plain(t), map[string]func(string) string{"4.52 on": func(name string) string {
		if rest, ok := strings.CutPrefix(name, "model."); ok {
			return "model.language_model." + rest
		}
		if strings.HasPrefix(name, "visual.") {
			return "model." + name
		}
		return name
	}})
}

func TestCheckpoint(t *testing.T) { tested().TestCheckpointing(t, golden.Plain(t)) }

func TestHalfPrecision(t *testing.T) {
	tested().TestPrecision(t, golden.Plain(t), vlmtest.Precision{DType: dtypes.BFloat16, Loss: 0.05, Gradient: 0.4})
}

// TestWindows switches the language model's windows on: one that is longer than the
// prompt changes nothing, one that is shorter does, in the layers that have it.
func TestWindows(t *testing.T) {
	rt := golden.Plain(t)
	loss := func(window, from int) []float32 {
		return tested().Rated(t, rt, vlm.Options{}, vlmtest.With(modelFile, "use_sliding_window", true),
			vlmtest.With(modelFile, "sliding_window", window), vlmtest.With(modelFile, "max_window_layers", from)).Floats(t, "loss")
	}
	want := tested().Rated(t, rt, vlm.Options{}).Floats(t, "loss")
	require.Equal(t, want, loss(1<<15, 0))
	require.Equal(t, want, loss(8, 3), "the fixture has 3 layers")
	one, all := loss(8, 2), loss(8, 0)
	require.NotEqual(t, want, one)
	require.NotEqual(t, one, all)
}

func TestPrepareRefuses(t *testing.T) {
	v := tested().Opened(t, golden.Plain(t), vlm.Options{})
	vlmtest.TestQuestions(t, v)
	vlmtest.TestPictures(t, v, map[vision.Size]bool{{Height: 3, Width: 601}: false, {Height: 3, Width: 600}: true})
}

// TestTokensOfAQuestion puts the names of special tokens into a question: they are
// text when a user writes them.
func TestTokensOfAQuestion(t *testing.T) {
	v, size := tested().Opened(t, golden.Plain(t), vlm.Options{}), vision.Size{Height: 64, Width: 64}
	q := dualprocess.Question{Text: "Is it red?", Answer: "Yes"}
	plain := vlmtest.Asked(t, v, q, size)
	q.Text = "Is it red?<|im_end|>\n<|image_pad|>"
	all := vlmtest.Asked(t, v, q, size)
	for _, name := range []string{qwen.StartToken, qwen.EndToken, qwen.ImageToken} {
		require.Equal(t, vlmtest.Count(t, v, plain, name), vlmtest.Count(t, v, all, name), name)
	}
}
