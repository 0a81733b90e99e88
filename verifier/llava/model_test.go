package llava

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
	"github.com/dualprocess/dualprocess-go/internal/tokenizer"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// named gives one tensor another name.
func named(old, to string) func(t *testing.T, files fstest.MapFS) {
	return renamed(func(name string) string {
		if name == old {
			return to
		}
		return name
	})
}

// content changes the bytes of a file; nil removes it.
func content(name string, change func(old []byte) []byte) func(t *testing.T, files fstest.MapFS) {
	return func(_ *testing.T, files fstest.MapFS) {
		if data := change(files[name].Data); data != nil {
			files[name] = &fstest.MapFile{Data: data}
		} else {
			delete(files, name)
		}
	}
}

func gone([]byte) []byte { return nil }

const checkpoint = "model.safetensors"

// badFolders are folders spoilt in one way each, with the error and what it names.
func badFolders() map[string]struct {
	spoil func(t *testing.T, files fstest.MapFS)
	want  error
	names string
} {
	return map[string]struct {
		spoil func(t *testing.T, files fstest.MapFS)
		want  error
		names string
	}{
		"no weights":       {content(checkpoint, gone), fs.ErrNotExist, checkpoint},
		"truncated":        {content(checkpoint, func(old []byte) []byte { return old[:len(old)-4] }), safetensors.ErrFormat, checkpoint},
		"no class token":   {named("vision_tower.vision_model.embeddings.class_embedding", ""), weights.ErrMissing, "class_embedding"},
		"no projector":     {named("multi_modal_projector.linear_2.weight", ""), weights.ErrMissing, "linear_2.weight"},
		"no head":          {named("language_model.lm_head.weight", ""), weights.ErrMissing, "lm_head"},
		"another name":     {named("vision_tower.vision_model.pre_layrnorm.bias", "bias"), weights.ErrSurplus, `"bias"`},
		"fewer layers":     {set(config, "text_config.num_hidden_layers", 2), weights.ErrSurplus, "language_model.model.layers.2"},
		"fewer blocks":     {set(config, "vision_config.num_hidden_layers", 3), weights.ErrSurplus, "vision_model.encoder.layers.3"},
		"biases too many":  {set(config, "multimodal_projector_bias", false), weights.ErrSurplus, "linear_1.bias"},
		"another shape":    {set(config, "vision_config.intermediate_size", 96), weights.ErrShape, "mlp"},
		"another image":    {set(config, "image_token_index", 30), weights.ErrConfig, "image_token_index"},
		"small vocabulary": {set(config, "text_config.vocab_size", 100), nil, "100"},
		"no tokenizer":     {content("tokenizer.json", func([]byte) []byte { return []byte("{") }), tokenizer.ErrFormat, "tokenizer.json"},
		"no image token": {content("tokenizer.json", func(old []byte) []byte {
			return []byte(strings.ReplaceAll(string(old), imageToken, "<imaqe>"))
		}), weights.ErrConfig, imageToken},
		"no ends": {content("generation_config.json", func([]byte) []byte { return []byte(`{"eos_token_id": "x"}`) }), nil, "eos_token_id"},
	}
}

func TestOpenRefuses(t *testing.T) {
	rt := vlmtest.Plain(t)
	before := rt.Store.NumVariables()
	for name, test := range badFolders() {
		t.Run(name, func(t *testing.T) {
			files := vlmtest.Files(t, "llava")
			test.spoil(t, files)
			_, err := OpenFS(t.Context(), rt, files, Options{})
			require.ErrorContains(t, err, test.names)
			if test.want != nil {
				require.ErrorIs(t, err, test.want)
			}
			require.Equal(t, before, rt.Store.NumVariables(), "nothing stays behind")
		})
	}
	_, err := OpenFS(t.Context(), rt, vlmtest.Files(t, "llava"), Options{Checkpoint: 7})
	require.ErrorIs(t, err, backends.ErrOptions)
	require.Equal(t, before, rt.Store.NumVariables())
}

// ids are what the model reads when a question is asked about a picture.
func ids(t *testing.T, v *Verifier, q dualprocess.Question) []int {
	before, err := vlm.Prefix(v, vision.Size{Height: 8, Width: 9})
	require.NoError(t, err)
	in, err := v.Prepare(t.Context(), q, 8, 9)
	require.NoError(t, err)
	all := slices.Clone(before)
	for _, id := range tensors.MustCopyFlatData[int32](in[0]) {
		all = append(all, int(id))
	}
	return all
}

// TestPrompt looks at what is around a picture and a question.
func TestPrompt(t *testing.T) {
	v := opened(t, vlmtest.Plain(t), Options{}, nil)
	token := func(name string) int {
		id, ok := vlm.Pieces(v).Tokenizer.ID(name)
		require.True(t, ok, name)
		return id
	}
	count := func(all []int, name string) int {
		return len(all) - len(slices.DeleteFunc(slices.Clone(all), func(id int) bool { return id == token(name) }))
	}
	plain := ids(t, v, dualprocess.Question{Text: "Is it?", Answer: "Yes", Bare: true})
	require.Equal(t, []int{1, 25, 1}, []int{count(plain, "<s>"), count(plain, imageToken), count(plain, "▁Yes")})
	require.Equal(t, token("<s>"), plain[0])

	// Names of tokens are words like others.
	names := "<s></s>" + imageToken + " Прав?"
	all := ids(t, v, dualprocess.Question{Text: names, Answer: endOfText, Bare: true})
	require.Equal(t, []int{1, 25, 0}, []int{count(all, "<s>"), count(all, imageToken), count(all, endOfText)})
	require.Equal(t, "USER:  \n"+names+" ASSISTANT: "+endOfText, vlm.Pieces(v).Tokenizer.Decode(all))
}

func TestPrepareRefuses(t *testing.T) {
	v := opened(t, vlmtest.Plain(t), Options{}, nil)
	for _, q := range []dualprocess.Question{
		{Answer: "Yes"}, {Text: "Is it?"}, {Text: "Is it?", Answer: " "}, {Text: "\n", Answer: "Yes"}, {Text: "\xff", Answer: "Yes"}, {Text: "Is it?", Answer: "\xff"},
	} {
		_, err := v.Prepare(t.Context(), q, 64, 64)
		require.ErrorIs(t, err, ErrQuestion)
	}
	for _, size := range [][2]int{{0, 64}, {64, -1}, {1 << 15, 4}} {
		_, err := v.Prepare(t.Context(), dualprocess.Question{Text: "Is it?", Answer: "Yes"}, size[0], size[1])
		require.ErrorIs(t, err, ErrPictureSize)
	}
	for _, size := range [][2]int{{1, 1}, {1, 9000}} {
		_, err := v.Prepare(t.Context(), dualprocess.Question{Text: "Is it?", Answer: "Yes"}, size[0], size[1])
		require.NoError(t, err, "the middle of any picture")
	}
}
