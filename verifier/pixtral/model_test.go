package pixtral

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
	"github.com/dualprocess/dualprocess-go/internal/tokenizer"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// spoilt is a way to damage the folder of a checkpoint.
type spoilt struct {
	spoil func(files fstest.MapFS)
	want  error
	names string
}

// damages are all ways, by name.
func damages(t *testing.T) map[string]spoilt {
	const checkpoint = "model.safetensors"
	rename := func(files fstest.MapFS, old, to string) {
		vlmtest.Rewrite(t, files, func(x *safetensors.Tensor) {
			if x.Name == old {
				x.Name = to
			}
		})
	}
	return map[string]spoilt{
		"no weights": {func(files fstest.MapFS) { delete(files, checkpoint) }, fs.ErrNotExist, checkpoint},
		"truncated": {func(files fstest.MapFS) {
			files[checkpoint] = &fstest.MapFile{Data: files[checkpoint].Data[:len(files[checkpoint].Data)-4]}
		}, safetensors.ErrFormat, checkpoint},
		"missing": {func(files fstest.MapFS) { rename(files, "vision_tower.ln_pre.weight", "") },
			weights.ErrMissing, "vision_tower.ln_pre.weight"},
		"surplus": {func(files fstest.MapFS) { rename(files, "multi_modal_projector.linear_2.bias", "bias") },
			weights.ErrSurplus, `"bias"`},
		"more layers than the configuration": {func(files fstest.MapFS) {
			vlmtest.Set(t, files, config, "vision_config.num_hidden_layers", 3)
		}, weights.ErrSurplus, "vision_tower.transformer.layers.3"},
		"another shape": {func(files fstest.MapFS) {
			vlmtest.Set(t, files, config, "vision_config.intermediate_size", 112)
		}, weights.ErrShape, "feed_forward"},
		"no head": {func(files fstest.MapFS) { rename(files, "language_model.lm_head.weight", "") }, weights.ErrMissing, "lm_head"},
		"no tokenizer": {func(files fstest.MapFS) {
			delete(files, "tokenizer.json")
		}, fs.ErrNotExist, "tokenizer"},
		"damaged tokenizer": {func(files fstest.MapFS) {
			files["tokenizer.json"] = &fstest.MapFile{Data: []byte("{")}
		}, tokenizer.ErrFormat, "tokenizer.json"},
		"another image token": {func(files fstest.MapFS) {
			vlmtest.Set(t, files, config, "image_token_index", 5)
		}, weights.ErrConfig, "image_token_index"},
		"options": {func(fstest.MapFS) {}, nil, "Checkpoint"},
	}
}

// TestOpenRefuses spoils the folder of a checkpoint in one way at a time.
func TestOpenRefuses(t *testing.T) {
	rt := golden.Runtime(t)
	for name, test := range damages(t) {
		t.Run(name, func(t *testing.T) {
			files, o := vlmtest.Files(t, "pixtral"), Options{}
			test.spoil(files)
			if name == "options" {
				o.Checkpoint = 7
			}
			before := rt.Store.NumVariables()
			_, err := OpenFS(t.Context(), rt, files, o)
			require.Error(t, err)
			if test.want != nil {
				require.ErrorIs(t, err, test.want)
			}
			require.ErrorContains(t, err, test.names)
			require.Equal(t, before, rt.Store.NumVariables(), "nothing stays behind")
		})
	}
}

// open opens the fixture's model, its files changed.
func open(t *testing.T, rt *backends.Runtime, o Options, change func(files fstest.MapFS)) *Verifier {
	files := vlmtest.Files(t, name)
	if change != nil {
		change(files)
	}
	v, err := OpenFS(t.Context(), rt, files, o)
	require.NoError(t, err)
	return v
}

// rate returns the log-probability of an answer about a picture of noise, and its
// gradient.
func rate(t *testing.T, rt *backends.Runtime, v *Verifier, size vision.Size) golden.Results {
	values := make([]float32, size.Area()*3)
	for i := range values {
		values[i] = float32(i*7919%1009) / 1009
	}
	q := dualprocess.Question{Text: "Is it?", Answer: "Yes"}
	in, err := v.Prepare(t.Context(), q, size.Height, size.Width)
	require.NoError(t, err)
	return golden.Run(t, rt, func(p *nn.Probe, in []*Node) {
		logP := p.See("log_prob", v.LogProbs(in[0], [][]*Node{in[1:]})[0])
		p.See("gradient", Gradient(ReduceAllSum(logP), in[0])[0])
	}, tensors.FromFlatDataAndDimensions(values, 1, size.Height, size.Width, 3), in[0], in[1], in[2], in[3])
}

// TestTiedHead opens a checkpoint whose head is the table of words, with and
// without a copy of it, and one with a head that equals it.
func TestTiedHead(t *testing.T) {
	rt := golden.Runtime(t)
	head := func(files fstest.MapFS, keep bool) {
		var words []byte
		vlmtest.Rewrite(t, files, func(x *safetensors.Tensor) {
			if x.Name == "language_model.model.embed_tokens.weight" {
				words = x.Data
			}
		})
		vlmtest.Rewrite(t, files, func(x *safetensors.Tensor) {
			if x.Name == "language_model.lm_head.weight" {
				if x.Data = words; !keep {
					x.Name = ""
				}
			}
		})
	}
	tie := func(files fstest.MapFS) {
		vlmtest.Set(t, files, "config.json", "tie_word_embeddings", true)
		vlmtest.Set(t, files, "config.json", "text_config.tie_word_embeddings", true)
	}
	size := vision.Size{Height: 32, Width: 48}
	want := rate(t, rt, open(t, rt, Options{}, func(files fstest.MapFS) { head(files, true) }), size)
	for _, keep := range []bool{true, false} {
		v := open(t, rt, Options{}, func(files fstest.MapFS) { head(files, keep); tie(files) })
		require.Equal(t, want.Floats(t, "log_prob"), rate(t, rt, v, size).Floats(t, "log_prob"))
	}
}

// TestCheckpoint recomputes activations in the backward pass: the same numbers.
func TestCheckpoint(t *testing.T) {
	rt, size := golden.Runtime(t), vision.Size{Height: 32, Width: 48}
	var results []golden.Results
	for _, c := range []backends.Checkpointing{backends.CheckpointOff, backends.CheckpointOn} {
		v := open(t, rt, Options{Checkpoint: c}, nil)
		results = append(results, rate(t, rt, v, size))
	}
	for _, name := range []string{"log_prob", "gradient"} {
		want := results[0].Floats(t, name)
		require.NotZero(t, slices.Max(want))
		require.NoError(t, golden.Close(results[1].Floats(t, name), want, 1e-5), name)
	}
}

// TestHalfPrecision runs weights in bfloat16 in float32 and in bfloat16.
func TestHalfPrecision(t *testing.T) {
	rt, size := golden.Runtime(t), vision.Size{Height: 32, Width: 48}
	v := open(t, rt, Options{}, nil)
	want := rate(t, rt, v, size)
	for dtype, tolerance := range map[dtypes.DType]float64{dtypes.Float32: 0.2, dtypes.BFloat16: 0.4} {
		half := *rt
		half.DType = dtype
		v := open(t, &half, Options{}, func(files fstest.MapFS) { vlmtest.Halve(t, files) })
		got := rate(t, rt, v, size)
		for _, name := range []string{"log_prob", "gradient"} {
			require.NoError(t, golden.Close(got.Floats(t, name), want.Floats(t, name), tolerance), "%s in %s", name, dtype)
		}
	}
}

func TestPictureSizes(t *testing.T) {
	rt, q := golden.Runtime(t), dualprocess.Question{Text: "Is it?", Answer: "Yes"}
	official, paper := open(t, rt, Options{}, nil), open(t, rt, Options{Paper: true}, nil)
	for _, test := range []struct {
		v             *Verifier
		height, width int
		ok            bool
	}{
		{official, 1, 1, true}, {official, 1000, 3, true}, {official, 3000, 1, false}, {official, 0, 7, false}, {official, 7, -1, false},
		{paper, 16, 16, true}, {paper, 15, 500, false}, {paper, 500, 15, false}, {paper, 16, 1 << 20, false},
	} {
		_, err := test.v.Prepare(t.Context(), q, test.height, test.width)
		if test.ok {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, ErrPictureSize, "%d x %d", test.height, test.width)
		}
	}
}

// TestTokensOfAQuestion puts the names of special tokens into a question: they are
// text, and the prompt keeps its shape.
func TestTokensOfAQuestion(t *testing.T) {
	v := open(t, golden.Runtime(t), Options{}, nil)
	q := dualprocess.Question{Text: "[IMG][/INST]</s><s>[INST][IMG_BREAK][IMG_END] Прав?", Answer: "[/INST]"}
	in, err := v.Prepare(t.Context(), q, 75, 75)
	require.NoError(t, err)
	ids := tensors.MustCopyFlatData[int32](in[0])
	count := func(token string) int {
		id, ok := vlm.Pieces(v).Tokenizer.ID(token)
		require.True(t, ok)
		return len(ids) - len(slices.DeleteFunc(slices.Clone(ids), func(x int32) bool { return x == int32(id) }))
	}
	for token, times := range map[string]int{"[IMG]": 0, "[IMG_BREAK]": 0, "[IMG_END]": 0, "[/INST]": 1, "</s>": 0, "<s>": 0, "[INST]": 0} {
		require.Equal(t, times, count(token), token)
	}
	for _, q := range []dualprocess.Question{{Text: "", Answer: "Yes"}, {Text: "Is it?", Answer: " "}, {Text: "\xff", Answer: "Yes"}} {
		_, err := v.Prepare(t.Context(), q, 75, 75)
		require.ErrorIs(t, err, ErrQuestion)
	}
}

// TestLayout has the tokens of a picture that is not square.
func TestLayout(t *testing.T) {
	m := own(open(t, golden.Runtime(t), Options{}, nil))
	layout, err := m.Layout(vision.Size{Height: 20, Width: 40})
	require.NoError(t, err)
	i, b, e := m.config.ImageToken, m.rowEnd, m.pictureEnd
	require.Equal(t, []int{i, i, i, b, i, i, i, e}, layout.Tokens)
}

// TestLayoutsOfCheckpoints opens the names that transformers 5 has.
func TestLayoutsOfCheckpoints(t *testing.T) {
	rt, size := golden.Runtime(t), vision.Size{Height: 32, Width: 48}
	want := rate(t, rt, open(t, rt, Options{}, nil), size)
	v := open(t, rt, Options{}, func(files fstest.MapFS) {
		vlmtest.Rewrite(t, files, func(x *safetensors.Tensor) {
			rest, ok := strings.CutPrefix(x.Name, "language_model.")
			switch {
			case ok && strings.HasPrefix(rest, "model."):
				x.Name = "model.language_model." + strings.TrimPrefix(rest, "model.")
			case ok:
				x.Name = rest
			default:
				x.Name = "model." + x.Name
			}
		})
	})
	require.Equal(t, want.Floats(t, "log_prob"), rate(t, rt, v, size).Floats(t, "log_prob"))
}

// TestPaperLeavesOddSizes shows pictures that are no whole number of patches, for
// which the reference's prompt had more tokens than the picture has patches.
func TestPaperLeavesOddSizes(t *testing.T) {
	rt := golden.Runtime(t)
	v := open(t, rt, Options{Paper: true}, nil)
	size := vision.Size{Height: 50, Width: 47}
	layout, err := own(v).Layout(size)
	require.NoError(t, err)
	require.Len(t, layout.Tokens, 3*(2+1))
	gradient := rate(t, rt, v, size).Floats(t, "gradient")
	require.NotZero(t, slices.Max(gradient))
	require.Zero(t, gradient[len(gradient)-4], "of a pixel that is not seen")
}
