package llava

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// tested is the fixture's checkpoint.
func tested() vlmtest.Checkpoint { return vlmtest.Checkpoint{Name: "llava", Open: open} }

func TestOpenRefuses(t *testing.T) {
	tested().TestRefuses(t, golden.Plain(t), map[string]vlmtest.Damage{
		"no class token":   {vlmtest.Named("vision_tower.vision_model.embeddings.class_embedding", ""), weights.ErrMissing, "class_embedding"},
		"no projector":     {vlmtest.Named("multi_modal_projector.linear_2.weight", ""), weights.ErrMissing, "linear_2.weight"},
		"no head":          {vlmtest.Named("language_model.lm_head.weight", ""), weights.ErrMissing, "lm_head"},
		"another name":     {vlmtest.Named("vision_tower.vision_model.pre_layrnorm.bias", "bias"), weights.ErrSurplus, `"bias"`},
		"fewer layers":     {vlmtest.With(config, "text_config.num_hidden_layers", 2), weights.ErrSurplus, "language_model.model.layers.2"},
		"fewer blocks":     {vlmtest.With(config, "vision_config.num_hidden_layers", 3), weights.ErrSurplus, "vision_model.encoder.layers.3"},
		"biases too many":  {vlmtest.With(config, "multimodal_projector_bias", false), weights.ErrSurplus, "linear_1.bias"},
		"another shape":    {vlmtest.With(config, "vision_config.intermediate_size", 96), weights.ErrShape, "mlp"},
		"another image":    {vlmtest.With(config, "image_token_index", 30), hf.ErrConfig, "image_token_index"},
		"small vocabulary": {vlmtest.With(config, "text_config.vocab_size", 100), nil, "100"},
		"no image token": {vlmtest.Content("tokenizer.json", func(old string) string {
			return strings.ReplaceAll(old, imageToken, "<imaqe>")
		}), hf.ErrConfig, imageToken},
		"no ends": {vlmtest.Is("generation_config.json", `{"eos_token_id": "x"}`), nil, "eos_token_id"},
	})
}

// TestPrompt looks at what is around a picture and a question.
func TestPrompt(t *testing.T) {
	v := tested().Opened(t, golden.Plain(t), vlm.Options{})
	size := vision.Size{Height: 8, Width: 9}
	count := func(all []int, name string) int { return vlmtest.Count(t, v, all, name) }
	plain := vlmtest.Asked(t, v, dualprocess.Question{Text: "Is it?", Answer: "Yes", Bare: true}, size)
	require.Equal(t, []int{1, 25, 1}, []int{count(plain, "<s>"), count(plain, imageToken), count(plain, "▁Yes")})
	require.Equal(t, vlmtest.Token(t, v, "<s>"), plain[0])

	// Names of tokens are words like others.
	names := "<s></s>" + imageToken + " Прав?"
	all := vlmtest.Asked(t, v, dualprocess.Question{Text: names, Answer: endOfText, Bare: true}, size)
	require.Equal(t, []int{1, 25, 0}, []int{count(all, "<s>"), count(all, imageToken), count(all, endOfText)})
	require.Equal(t, "USER:  \n"+names+" ASSISTANT: "+endOfText, vlm.Pieces(v).Tokenizer.Decode(all))
}

func TestPrepareRefuses(t *testing.T) {
	v := tested().Opened(t, golden.Plain(t), vlm.Options{})
	vlmtest.TestQuestions(t, v)
	vlmtest.TestPictures(t, v, map[vision.Size]bool{
		{Height: 0, Width: 64}: false, {Height: 64, Width: -1}: false, {Height: 1 << 15, Width: 4}: false,
		{Height: 1, Width: 1}: true, {Height: 1, Width: 9000}: true, // the middle of any picture
	})
}
