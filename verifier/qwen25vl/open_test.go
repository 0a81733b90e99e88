package qwen25vl

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
	"github.com/dualprocess/dualprocess-go/internal/tokenizer"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

func TestOpenRefuses(t *testing.T) {
	const shard, tokens = "model-00002-of-00002.safetensors", "tokenizer.json"
	tested().TestRefuses(t, golden.Plain(t), map[string]vlmtest.Damage{
		"missing shard":  {vlmtest.Without(shard), fs.ErrNotExist, shard},
		"truncated":      {vlmtest.Cut(shard), safetensors.ErrFormat, shard},
		"more blocks":    {vlmtest.With(modelFile, "vision_config.depth", 5), weights.ErrMissing, "visual.blocks.4.norm1.weight"},
		"fewer blocks":   {vlmtest.With(modelFile, "vision_config.depth", 3), weights.ErrSurplus, "visual.blocks.3"},
		"another kernel": {vlmtest.With(modelFile, "vision_config.hidden_size", 64), weights.ErrShape, "visual.patch_embed.proj.weight"},
		"another head":   {vlmtest.With(modelFile, "vocab_size", 740), weights.ErrShape, "lm_head.weight"},
		"image token":    {vlmtest.With(modelFile, "image_token_id", 711), hf.ErrConfig, "image_token_id"},
		"no such token": {vlmtest.Content(tokens, func(old string) string {
			return strings.ReplaceAll(old, visionStart, "<|vision_begin|>")
		}), hf.ErrConfig, visionStart},
		"damaged tokenizer": {vlmtest.Is(tokens, "{"), tokenizer.ErrFormat, tokens},
		"no picture":        {vlmtest.Without(pictureFile), fs.ErrNotExist, pictureFile},
	})
}
