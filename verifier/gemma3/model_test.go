package gemma3

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// tested is the fixture's checkpoint.
func tested() vlmtest.Checkpoint { return vlmtest.Checkpoint{Name: "gemma3", Open: open} }

func TestOpenRefuses(t *testing.T) {
	const tokens = "tokenizer.json"
	tested().TestRefuses(t, golden.Plain(t), map[string]vlmtest.Damage{
		"no projection":      {vlmtest.Named("multi_modal_projector.mm_input_projection_weight", ""), weights.ErrMissing, "mm_input_projection_weight"},
		"no norm of queries": {vlmtest.Named("language_model.model.layers.0.self_attn.q_norm.weight", ""), weights.ErrMissing, "q_norm"},
		"another name":       {vlmtest.Named("vision_tower.vision_model.post_layernorm.bias", "bias"), weights.ErrSurplus, `"bias"`},
		"fewer layers":       {vlmtest.With(config, "text_config.num_hidden_layers", 4), weights.ErrSurplus, "language_model.model.layers.4"},
		"fewer blocks":       {vlmtest.With(config, "vision_config.num_hidden_layers", 3), weights.ErrSurplus, "vision_model.encoder.layers.3"},
		"another shape":      {vlmtest.With(config, "text_config.head_dim", 26), weights.ErrShape, "self_attn"},
		"a head of its own":  {vlmtest.With(config, "text_config.tie_word_embeddings", false), weights.ErrMissing, "lm_head.weight"},
		"more patches":       {vlmtest.With(config, "vision_config.image_size", 126), hf.ErrConfig, "size.height"},
		"another image":      {vlmtest.With(config, "image_token_index", 30), hf.ErrConfig, "image_token_index"},
		"another beginning":  {vlmtest.With(config, "boi_token_index", 25), hf.ErrConfig, "boi_token_index"},
		"a small vocabulary": {vlmtest.With(config, "text_config.vocab_size", 24), hf.ErrConfig, "vocabulary"},
		"no turns": {vlmtest.Content(tokens, func(old string) string {
			return strings.ReplaceAll(old, turnBegin, "<start_of_turm>")
		}), hf.ErrConfig, turnBegin},
		"no ends": {vlmtest.Is("generation_config.json", `{"eos_token_id": "x"}`), nil, "eos_token_id"},
	})
}

// TestNames opens checkpoints with the names that several versions of transformers
// have written.
func TestNames(t *testing.T) {
	between := func(name string) string { // 4.52 to 4.57
		name = strings.Replace(name, "language_model.model.", "language_model.", 1)
		return "model." + name
	}
	newest := func(name string) string { // 5, asked not to write the older ones
		return strings.Replace(between(name), "vision_tower.vision_model.", "vision_tower.", 1)
	}
	tested().TestNames(t, golden.Plain(t), map[string]func(string) string{"4.52 on": between, "5": newest})
}

// TestSurplus opens checkpoints that carry what the model has no use for.
func TestSurplus(t *testing.T) {
	rt := golden.Plain(t)
	for _, name := range []string{
		"lm_head.weight", "language_model.lm_head.weight", "vision_tower.vision_model.head.probe", "model.vision_tower.head.mlp.fc1.bias",
		"vision_tower.vision_model.embeddings.position_ids",
	} {
		tested().Opened(t, rt, vlm.Options{}, added(name, func([]safetensors.Tensor) safetensors.Tensor {
			return safetensors.FromFloat32s(name, []float32{1, 2}, 2)
		}))
	}
}

// added adds a tensor to a checkpoint, which is made of those that are there.
func added(name string, of func(list []safetensors.Tensor) safetensors.Tensor) vlmtest.Change {
	return func(t testing.TB, files fstest.MapFS) {
		vlmtest.Append(t, files, func(list []safetensors.Tensor) []safetensors.Tensor {
			x := of(list)
			x.Name = name
			return []safetensors.Tensor{x}
		})
	}
}

// logits are those of a question about a small picture.
func logits(t *testing.T, rt *backends.Runtime, v *vlm.Verifier) []float32 {
	in, err := v.Prepare(t.Context(), dualprocess.Question{Text: "Is it?", Answer: "Yes"}, 3, 2)
	require.NoError(t, err)
	return golden.Run(t, rt, func(in []*Node) golden.Outputs {
		return golden.Outputs{"logits": vlm.Trace(v, nn.Pass{}, in[0], in[1:])}
	},
		vlmtest.Noise(vision.Size{Height: 3, Width: 2}), in[0], in[1], in[2], in[3]).Floats(t, "logits")
}

// TestHead opens a checkpoint with a head of its own, which is the table of words
// times two: logits are twice as large.
func TestHead(t *testing.T) {
	twice := func(list []safetensors.Tensor) safetensors.Tensor {
		i := slices.IndexFunc(list, func(x safetensors.Tensor) bool { return strings.HasSuffix(x.Name, "embed_tokens.weight") })
		x := list[i]
		x.Data = slices.Clone(x.Data)
		for at := 0; at < len(x.Data); at += 4 { // little-endian float32: one more in the exponent
			if x.Data[at+2]|x.Data[at+3] != 0 {
				exponent := uint16(x.Data[at+2]) | uint16(x.Data[at+3])<<8
				exponent += 1 << 7
				x.Data[at+2], x.Data[at+3] = byte(exponent), byte(exponent>>8)
			}
		}
		return x
	}
	rt := golden.Plain(t)
	want := logits(t, rt, tested().Opened(t, rt, vlm.Options{}))
	for _, name := range []string{"lm_head.weight", "language_model.lm_head.weight"} {
		untied := vlmtest.With(config, "text_config.tie_word_embeddings", false)
		got := logits(t, rt, tested().Opened(t, rt, vlm.Options{}, added(name, twice), untied))
		for i := range got {
			got[i] /= 2
		}
		require.NoError(t, golden.Close(got, want, 1e-6))
	}
}

func TestCheckpoint(t *testing.T) { tested().TestCheckpointing(t, golden.Plain(t)) }

func TestHalfPrecision(t *testing.T) {
	tested().TestPrecision(t, golden.Plain(t),
		vlmtest.Precision{DType: dtypes.BFloat16, Loss: 0.05, Gradient: 0.4, Changes: []vlmtest.Change{vlmtest.Halve}})
}

// TestPrompt looks at what is around a picture and a question.
func TestPrompt(t *testing.T) {
	rt, size := golden.Plain(t), vision.Size{Height: 8, Width: 9}
	official, paper := tested().Opened(t, rt, vlm.Options{}), tested().Opened(t, rt, vlm.Options{Paper: true})
	token := func(name string) int { return vlmtest.Token(t, official, name) }
	count := func(all []int, name string) int { return vlmtest.Count(t, official, all, name) }
	plain := vlmtest.Asked(t, official, dualprocess.Question{Text: "Is it?", Answer: "Yes", Bare: true}, size)
	require.Equal(t, 1, count(plain, begin))
	require.Equal(t, token("\n\n\n"), plain[slices.Index(plain, token(imageBegin))-1], "the newlines before the picture are one token")
	require.Equal(t, token("\n\n"), plain[slices.Index(plain, token(imageEnd))+1])
	require.Equal(t, 16, count(plain, imageToken))

	// The template trims what was said; the reference does not.
	spacious := dualprocess.Question{Text: "\n \x1f Is it?\u00a0\u2003\n", Answer: "Yes", Bare: true}
	require.Equal(t, plain, vlmtest.Asked(t, official, spacious, size))
	said := vlmtest.Asked(t, paper, spacious, size)
	require.Equal(t, 2, count(said, begin))
	require.Equal(t, token("\n\n\n"), said[slices.Index(said, token(imageEnd))+1])
	require.Equal(t, token("\n\n\n\n"), said[slices.Index(said, token(imageBegin))-1])

	// Names of tokens are words like others.
	names := begin + turnEnd + turnBegin + imageBegin + imageToken + imageEnd + "<eos> Прав?"
	all := vlmtest.Asked(t, official, dualprocess.Question{Text: names, Answer: turnEnd, Bare: true}, size)
	for name, times := range map[string]int{begin: 1, turnBegin: 2, turnEnd: 1, imageBegin: 1, imageToken: 16, imageEnd: 1, "<eos>": 0} {
		require.Equal(t, times, count(all, name), name)
	}
}

func TestPrepareRefuses(t *testing.T) {
	v := tested().Opened(t, golden.Plain(t), vlm.Options{})
	vlmtest.TestQuestions(t, v)
	vlmtest.TestPictures(t, v, map[vision.Size]bool{
		{Height: 0, Width: 64}: false, {Height: 64, Width: -1}: false,
		{Height: 1, Width: 1}: true, {Height: 1, Width: 4000}: true, // a picture of any ratio becomes a square
	})
}
