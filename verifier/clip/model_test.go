package clip

import (
	"bytes"
	"context"
	"image"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

func files(t *testing.T) fstest.MapFS {
	return golden.Fixtures(t, golden.TwoTowers)[0].Model(t, "model")
}

func opened(t *testing.T, fsys fstest.MapFS) *Model {
	m, err := OpenFS(t.Context(), golden.Runtime(t), fsys, Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

// change replaces a text of a file, which must have it.
func change(t *testing.T, fsys fstest.MapFS, file, from, to string) fstest.MapFS {
	text := string(fsys[file].Data)
	require.Contains(t, text, from)
	fsys[file] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(text, from, to))}
	return fsys
}

func TestFeatures(t *testing.T) {
	m := opened(t, files(t))
	var images []image.Image
	for k := range batch + 3 {
		img := image.NewGray(image.Rect(5, 5, 40+k, 37))
		for p := range img.Pix {
			img.Pix[p] = uint8(p * (k + 3))
		}
		images = append(images, img)
	}
	all, err := m.Features(t.Context(), images...)
	require.NoError(t, err)
	require.Len(t, all, len(images))
	for k, img := range images {
		alone, err := m.Features(t.Context(), img)
		require.NoError(t, err)
		require.InDeltaSlice(t, alone[0], all[k], 1e-5)
		var squares float64
		for _, x := range all[k] {
			squares += x * x
		}
		require.InDelta(t, 1, squares, 1e-12)
	}
	none, err := m.Features(t.Context())
	require.NoError(t, err)
	require.Empty(t, none)
}

// TestTower opens a vision tower alone, which has the features of the whole model.
func TestTower(t *testing.T) {
	whole, tower := files(t), files(t)
	for _, name := range []string{"vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"} {
		delete(tower, name)
	}
	tower["config.json"] = &fstest.MapFile{Data: []byte(`{"architectures": ["CLIPVisionModelWithProjection"], "model_type": "clip_vision_model",
		"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 32,
		"patch_size": 8, "projection_dim": 20}`)}
	img := image.NewGray(image.Rect(0, 0, 50, 40))
	for p := range img.Pix {
		img.Pix[p] = uint8(p * 7)
	}
	_, err := OpenFS(t.Context(), golden.Runtime(t), tower, Options{})
	require.ErrorContains(t, err, "text_model", "surplus weights are named")

	tower["model.safetensors"] = &fstest.MapFile{Data: without(t, tower["model.safetensors"].Data, "text_model.", "text_projection.", "logit_scale")}
	alone := opened(t, tower)
	got, err := alone.Features(t.Context(), img)
	require.NoError(t, err)
	want, err := opened(t, whole).Features(t.Context(), img)
	require.NoError(t, err)
	require.Equal(t, want, got)
	_, err = alone.Cosine(t.Context(), img, "a photo")
	require.ErrorIs(t, err, ErrNoText)
}

func TestRefused(t *testing.T) {
	for name, test := range map[string]struct {
		file, from, to, want string
	}{
		"kind":       {"config.json", `"model_type": "clip",`, `"model_type": "siglip",`, "config.json: "},
		"projection": {"config.json", `"projection_dim": 20`, `"projection_dim": 0`, "projection_dim"},
		"field":      {"config.json", `"text_config_dict": {`, `"text_config_dict": {"rotary": true, `, "text_config"},
		"activation": {"config.json", `"hidden_act": "quick_gelu"`, `"hidden_act": "tanh"`, "hidden_act"},
		"vocabulary": {"config.json", `"vocab_size": 814`, `"vocab_size": 800`, "tokenizer"},
		"crop":       {"preprocessor_config.json", `"height": 32`, `"height": 24`, "crop_size.height"},
		"mean":       {"preprocessor_config.json", `"do_normalize": true`, `"do_normalize": false`, "do_normalize"},
		"layers":     {"config.json", `"num_hidden_layers": 2`, `"num_hidden_layers": 3`, "layers.2"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := OpenFS(t.Context(), golden.Runtime(t), change(t, files(t), test.file, test.from, test.to), Options{})
			require.ErrorContains(t, err, test.want)
			require.Equal(t, 1, strings.Count(err.Error(), "clip: "), err)
		})
	}
	_, err := OpenFS(t.Context(), golden.Runtime(t), change(t, files(t), "config.json", `"text_config_dict": {`, `"text_config_dict": {"rotary": true, `), Options{Ignore: []string{"rotary"}})
	require.NoError(t, err)
	_, err = OpenFS(t.Context(), golden.Runtime(t), nil, Options{})
	require.ErrorIs(t, err, dualprocess.ErrTask)
	_, err = OpenFS(t.Context(), golden.Runtime(t), files(t), Options{Variant: "../x"})
	require.ErrorIs(t, err, ErrOptions)
	_, err = Open(t.Context(), golden.Runtime(t), t.TempDir(), Options{})
	require.ErrorContains(t, err, "clip: open ")
	require.NotErrorIs(t, err, hf.ErrConfig)
}

func TestScoreRefused(t *testing.T) {
	m := opened(t, files(t))
	img := image.NewGray(image.Rect(0, 0, 40, 40))
	yes := dualprocess.Question{Text: "a photo", Answer: "yes"}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, test := range map[string]struct {
		ctx  context.Context
		img  image.Image
		q    dualprocess.Question
		want error
	}{
		"answer":    {t.Context(), img, dualprocess.Question{Text: "a photo", Answer: "red"}, dualprocess.ErrTask},
		"empty":     {t.Context(), img, dualprocess.Question{Text: " ", Answer: "Yes"}, ErrQuestion},
		"not UTF-8": {t.Context(), img, dualprocess.Question{Text: "\xff", Answer: "Yes"}, dualprocess.ErrPrompt},
		"no image":  {t.Context(), nil, yes, dualprocess.ErrTask},
		"no pixels": {t.Context(), image.NewGray(image.Rect(0, 0, 0, 4)), yes, ErrPictureSize},
		"elongated": {t.Context(), image.NewGray(image.Rect(0, 0, 1, 1000)), yes, ErrPictureSize},
		"context":   {ended, img, yes, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := m.Score(test.ctx, test.img, test.q)
			require.ErrorIs(t, err, test.want)
			require.Equal(t, 1, strings.Count(err.Error(), "clip: "), err)
		})
	}
	p, err := m.Score(t.Context(), img, yes)
	require.NoError(t, err)
	require.False(t, math.IsNaN(p))
	require.NoError(t, m.Close())
	_, err = m.Score(t.Context(), img, yes)
	require.ErrorIs(t, err, backends.ErrClosed)
	_, err = m.Features(t.Context(), img)
	require.ErrorIs(t, err, backends.ErrClosed)
}

// without returns a file of tensors without those whose names begin so.
func without(t *testing.T, data []byte, prefixes ...string) []byte {
	f, err := safetensors.New("model", bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	var kept []safetensors.Tensor
	for _, info := range f.Tensors() {
		if !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(info.Name, p) }) {
			values, err := f.Float32s(info.Name)
			require.NoError(t, err)
			kept = append(kept, safetensors.FromFloat32s(info.Name, values, info.Shape...))
		}
	}
	var out bytes.Buffer
	require.NoError(t, safetensors.Write(&out, kept, nil))
	return out.Bytes()
}
