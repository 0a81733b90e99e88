package gemma3

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
	"github.com/dualprocess/dualprocess-go/internal/tokenizer"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// rename renames the tensors of a checkpoint; those without a name are left out.
func rename(t *testing.T, files fstest.MapFS, to func(name string) string) {
	vlmtest.Rewrite(t, files, func(x *safetensors.Tensor) { x.Name = to(x.Name) })
}

// spoil changes the files of a checkpoint.
type spoil func(t *testing.T, files fstest.MapFS)

// named gives a tensor another name.
func named(old, to string) spoil {
	return func(t *testing.T, files fstest.MapFS) {
		rename(t, files, func(name string) string {
			if name == old {
				return to
			}
			return name
		})
	}
}

// set changes a field of config.json.
func set(path string, value any) spoil {
	return func(t *testing.T, files fstest.MapFS) { vlmtest.Set(t, files, "config.json", path, value) }
}

// content changes the bytes of a file; nil removes it.
func content(name string, change func(old []byte) []byte) spoil {
	return func(_ *testing.T, files fstest.MapFS) {
		if data := change(files[name].Data); data != nil {
			files[name] = &fstest.MapFile{Data: data}
		} else {
			delete(files, name)
		}
	}
}

const (
	checkpoint = "model.safetensors"
	tokens     = "tokenizer.json"
)

// badFolders are folders spoilt in one way each, with the error and what it names.
var badFolders = map[string]struct {
	spoil spoil
	want  error
	names string
}{
	"no weights":         {content(checkpoint, func([]byte) []byte { return nil }), fs.ErrNotExist, checkpoint},
	"truncated":          {content(checkpoint, func(old []byte) []byte { return old[:len(old)-4] }), safetensors.ErrFormat, checkpoint},
	"no projection":      {named("multi_modal_projector.mm_input_projection_weight", ""), weights.ErrMissing, "mm_input_projection_weight"},
	"no norm of queries": {named("language_model.model.layers.0.self_attn.q_norm.weight", ""), weights.ErrMissing, "q_norm"},
	"another name":       {named("vision_tower.vision_model.post_layernorm.bias", "bias"), weights.ErrSurplus, `"bias"`},
	"fewer layers":       {set("text_config.num_hidden_layers", 4), weights.ErrSurplus, "language_model.model.layers.4"},
	"fewer blocks":       {set("vision_config.num_hidden_layers", 3), weights.ErrSurplus, "vision_model.encoder.layers.3"},
	"another shape":      {set("text_config.head_dim", 26), weights.ErrShape, "self_attn"},
	"a head of its own":  {set("text_config.tie_word_embeddings", false), weights.ErrMissing, "lm_head.weight"},
	"more patches":       {set("vision_config.image_size", 126), weights.ErrConfig, "size.height"},
	"another image":      {set("image_token_index", 30), weights.ErrConfig, "image_token_index"},
	"another beginning":  {set("boi_token_index", 25), weights.ErrConfig, "boi_token_index"},
	"a small vocabulary": {set("text_config.vocab_size", 24), weights.ErrConfig, "vocabulary"},
	"no tokenizer":       {content(tokens, func([]byte) []byte { return []byte("{") }), tokenizer.ErrFormat, tokens},
	"no turns": {content(tokens, func(old []byte) []byte {
		return []byte(strings.ReplaceAll(string(old), turnBegin, "<start_of_turm>"))
	}), weights.ErrConfig, turnBegin},
	"no ends": {content("generation_config.json", func([]byte) []byte { return []byte(`{"eos_token_id": "x"}`) }), nil, "eos_token_id"},
}

func TestOpenRefuses(t *testing.T) {
	rt := plain(t)
	before := rt.Store.NumVariables()
	for name, test := range badFolders {
		t.Run(name, func(t *testing.T) {
			files := vlmtest.Files(t, "gemma3")
			test.spoil(t, files)
			_, err := OpenFS(t.Context(), rt, files, Options{})
			require.ErrorContains(t, err, test.names)
			if test.want != nil {
				require.ErrorIs(t, err, test.want)
			}
			require.Equal(t, before, rt.Store.NumVariables(), "nothing stays behind")
		})
	}
	_, err := OpenFS(t.Context(), rt, vlmtest.Files(t, "gemma3"), Options{Checkpoint: 7})
	require.ErrorIs(t, err, backends.ErrOptions)
	require.Equal(t, before, rt.Store.NumVariables())
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
	rt := plain(t)
	want := rate(t, rt, opened(t, rt, Options{}, nil)).Floats(t, "gradient")
	for _, names := range []func(string) string{between, newest} {
		v := opened(t, rt, Options{}, func(files fstest.MapFS) { rename(t, files, names) })
		require.Equal(t, want, rate(t, rt, v).Floats(t, "gradient"))
	}
}

// TestSurplus opens checkpoints that carry what the model has no use for.
func TestSurplus(t *testing.T) {
	rt := plain(t)
	for _, name := range []string{
		"lm_head.weight", "language_model.lm_head.weight", "vision_tower.vision_model.head.probe", "model.vision_tower.head.mlp.fc1.bias",
		"vision_tower.vision_model.embeddings.position_ids",
	} {
		opened(t, rt, Options{}, func(files fstest.MapFS) { addTensor(t, files, name, nil) })
	}
}

// addTensor adds a tensor to a checkpoint: that of data, or some numbers.
func addTensor(t *testing.T, files fstest.MapFS, name string, of func(list []safetensors.Tensor) safetensors.Tensor) {
	var list []safetensors.Tensor
	vlmtest.Rewrite(t, files, func(x *safetensors.Tensor) { list = append(list, *x) })
	added := safetensors.FromFloat32s(name, []float32{1, 2}, 2)
	if of != nil {
		added = of(list)
		added.Name = name
	}
	var b strings.Builder
	require.NoError(t, safetensors.Write(&b, append(list, added), nil))
	files["model.safetensors"] = &fstest.MapFile{Data: []byte(b.String())}
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
	rt := plain(t)
	logits := func(change func(files fstest.MapFS)) []float32 {
		return trace(t, rt, opened(t, rt, Options{}, change)).Floats(t, "logits")
	}
	want := logits(nil)
	for _, name := range []string{"lm_head.weight", "language_model.lm_head.weight"} {
		got := logits(func(files fstest.MapFS) {
			addTensor(t, files, name, twice)
			vlmtest.Set(t, files, "config.json", "text_config.tie_word_embeddings", false)
		})
		for i := range got {
			got[i] /= 2
		}
		require.NoError(t, golden.Close(got, want, 1e-6))
	}
}

// TestCheckpoint recomputes activations in the backward pass: the same numbers.
func TestCheckpoint(t *testing.T) {
	rt := plain(t)
	want := rate(t, rt, opened(t, rt, Options{Checkpoint: backends.CheckpointOff}, nil))
	got := rate(t, rt, opened(t, rt, Options{Checkpoint: backends.CheckpointOn}, nil))
	for _, name := range []string{"loss", "gradient"} {
		require.NoError(t, golden.Close(got.Floats(t, name), want.Floats(t, name), 1e-5), name)
	}
}

// TestHalfPrecision computes in bfloat16.
func TestHalfPrecision(t *testing.T) {
	rt := plain(t)
	want := rate(t, rt, opened(t, rt, Options{}, nil))
	half := *rt
	half.DType = dtypes.BFloat16
	got := rate(t, &half, opened(t, &half, Options{}, func(files fstest.MapFS) { vlmtest.Halve(t, files) }))
	require.NoError(t, golden.Close(got.Floats(t, "loss"), want.Floats(t, "loss"), 0.05))
	require.NoError(t, golden.Close(got.Floats(t, "gradient"), want.Floats(t, "gradient"), 0.4))
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
	rt := plain(t)
	official, paper := opened(t, rt, Options{}, nil), opened(t, rt, Options{Paper: true}, nil)
	token := func(name string) int {
		id, ok := vlm.Pieces(official).Tokenizer.ID(name)
		require.True(t, ok, name)
		return id
	}
	count := func(all []int, name string) int {
		return len(all) - len(slices.DeleteFunc(slices.Clone(all), func(id int) bool { return id == token(name) }))
	}
	plain := ids(t, official, dualprocess.Question{Text: "Is it?", Answer: "Yes", Bare: true})
	require.Equal(t, 1, count(plain, begin))
	require.Equal(t, token("\n\n\n"), plain[slices.Index(plain, token(imageBegin))-1], "the newlines before the picture are one token")
	require.Equal(t, token("\n\n"), plain[slices.Index(plain, token(imageEnd))+1])
	require.Equal(t, 16, count(plain, imageSoft))

	// The template trims what was said; the reference does not.
	spacious := dualprocess.Question{Text: "\n \x1f Is it?\u00a0\u2003\n", Answer: "Yes", Bare: true}
	require.Equal(t, plain, ids(t, official, spacious))
	said := ids(t, paper, spacious)
	require.Equal(t, 2, count(said, begin))
	require.Equal(t, token("\n\n\n"), said[slices.Index(said, token(imageEnd))+1])
	require.Equal(t, token("\n\n\n\n"), said[slices.Index(said, token(imageBegin))-1])

	// Names of tokens are words like others.
	names := begin + turnEnd + turnBegin + imageBegin + imageSoft + imageEnd + "<eos> Прав?"
	all := ids(t, official, dualprocess.Question{Text: names, Answer: turnEnd, Bare: true})
	for name, times := range map[string]int{begin: 1, turnBegin: 2, turnEnd: 1, imageBegin: 1, imageSoft: 16, imageEnd: 1, "<eos>": 0} {
		require.Equal(t, times, count(all, name), name)
	}
}

func TestPrepareRefuses(t *testing.T) {
	v := opened(t, plain(t), Options{}, nil)
	for _, q := range []dualprocess.Question{{Answer: "Yes"}, {Text: "Is it?"}, {Text: "Is it?", Answer: " "}, {Text: "\xff", Answer: "Yes"}} {
		_, err := v.Prepare(t.Context(), q, 64, 64)
		require.ErrorIs(t, err, ErrQuestion)
	}
	for _, size := range [][2]int{{0, 64}, {64, -1}} {
		_, err := v.Prepare(t.Context(), dualprocess.Question{Text: "Is it?", Answer: "Yes"}, size[0], size[1])
		require.ErrorIs(t, err, ErrPictureSize)
	}
	for _, size := range [][2]int{{1, 1}, {1, 4000}} {
		_, err := v.Prepare(t.Context(), dualprocess.Question{Text: "Is it?", Answer: "Yes"}, size[0], size[1])
		require.NoError(t, err, "a picture of any ratio becomes a square")
	}
}
