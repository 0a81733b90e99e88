package qwen25vl

import (
	"bytes"
	"context"
	"io/fs"
	"maps"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/safetensors"
	"github.com/dualprocess/dualprocess-go/internal/tokenizer"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// TestOpenRefuses spoils the folder of a checkpoint in one way at a time.
func TestOpenRefuses(t *testing.T) {
	const shard, tokens = "model-00002-of-00002.safetensors", "tokenizer.json"
	rt, sound := runtime(t), vlmtest.Files(t, nameInFixtures)
	set := func(file, path string, value any) func(*testing.T, fstest.MapFS) {
		return func(t *testing.T, files fstest.MapFS) { vlmtest.Set(t, files, file, path, value) }
	}
	for name, test := range map[string]struct {
		spoil func(*testing.T, fstest.MapFS)
		want  error
		names string
	}{
		"missing shard": {func(_ *testing.T, files fstest.MapFS) { delete(files, shard) }, fs.ErrNotExist, shard},
		"truncated": {func(_ *testing.T, files fstest.MapFS) {
			files[shard] = &fstest.MapFile{Data: files[shard].Data[:len(files[shard].Data)-4]}
		}, safetensors.ErrFormat, shard},
		"more blocks":    {set(modelFile, "vision_config.depth", 5), weights.ErrMissing, "visual.blocks.4.norm1.weight"},
		"fewer blocks":   {set(modelFile, "vision_config.depth", 3), weights.ErrSurplus, "visual.blocks.3"},
		"another kernel": {set(modelFile, "vision_config.hidden_size", 64), weights.ErrShape, "visual.patch_embed.proj.weight"},
		"another head":   {set(modelFile, "vocab_size", 740), weights.ErrShape, "lm_head.weight"},
		"image token":    {set(modelFile, "image_token_id", 711), weights.ErrConfig, "image_token_id"},
		"no such token": {func(t *testing.T, files fstest.MapFS) {
			files[tokens] = &fstest.MapFile{Data: bytes.ReplaceAll(files[tokens].Data, []byte(visionStart), []byte("<|vision_begin|>"))}
		}, weights.ErrConfig, visionStart},
		"damaged tokenizer": {func(_ *testing.T, files fstest.MapFS) { files[tokens] = &fstest.MapFile{Data: []byte("{")} }, tokenizer.ErrFormat, tokens},
		"no picture":        {func(_ *testing.T, files fstest.MapFS) { delete(files, pictureFile) }, fs.ErrNotExist, pictureFile},
	} {
		t.Run(name, func(t *testing.T) {
			files := maps.Clone(sound)
			test.spoil(t, files)
			before := rt.Store.NumVariables()
			_, err := OpenFS(t.Context(), rt, files, Options{})
			require.ErrorIs(t, err, test.want)
			require.ErrorContains(t, err, test.names)
			require.Equal(t, before, rt.Store.NumVariables(), "nothing stays behind")
		})
	}
}

func TestOpenStops(t *testing.T) {
	rt, sound := runtime(t), vlmtest.Files(t, nameInFixtures)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := OpenFS(ctx, rt, sound, Options{})
	require.ErrorIs(t, err, context.Canceled)
	_, err = OpenFS(t.Context(), rt, sound, Options{Checkpoint: 9})
	require.ErrorContains(t, err, "Checkpoint")
}
