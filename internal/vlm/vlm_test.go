package vlm_test

import (
	"context"
	"image"
	"image/color"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/pixels"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
	"github.com/dualprocess/dualprocess-go/verifier/llava"
)

// opened opens the fixture's LLaVA.
func opened(t *testing.T, rt *backends.Runtime, changes ...vlmtest.Change) *llava.Verifier {
	t.Helper()
	files := vlmtest.Files(t, "llava")
	for _, change := range changes {
		change(t, files)
	}
	v, err := llava.OpenFS(t.Context(), rt, files, llava.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, v.Close()) })
	return v
}

// drawn is a picture of some size, with a see-through corner.
func drawn(height, width int) image.Image {
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			img.SetNRGBA(x, y, color.NRGBA{uint8(5 * x), uint8(7 * y), uint8(3 * (x + y)), 255})
		}
	}
	img.SetNRGBA(0, 0, color.NRGBA{200, 0, 0, 100})
	return img
}

// TestScore compares Score and YesNo with what the core computes by LogProbs, also
// for answers of several tokens and questions that share an executable.
func TestScore(t *testing.T) {
	rt := golden.Plain(t)
	v, img := opened(t, rt), drawn(30, 44)
	questions := []dualprocess.Question{
		{Text: "Is it red?", Answer: "Yes"}, {Text: "Is it blue?", Answer: "No"}, {Text: "What is it, please?", Answer: "A golden horse on a bridge"},
	}
	want, err := dualprocess.Score(t.Context(), rt, v, questions, img)
	require.NoError(t, err)
	for k, q := range questions {
		got, err := v.Score(t.Context(), img, q)
		require.NoError(t, err)
		assert.InEpsilon(t, want[0][k], got, 1e-4, q.Text)
	}
	both, err := dualprocess.Score(t.Context(), rt, v, []dualprocess.Question{{Text: "Is it red?", Answer: "Yes"}, {Text: "Is it red?", Answer: "No"}}, img)
	require.NoError(t, err)
	yes, err := v.YesNo(t.Context(), img, dualprocess.Question{Text: "Is it red?", Answer: "whatever"})
	require.NoError(t, err)
	assert.InEpsilon(t, both[0][0]/(both[0][0]+both[0][1]), yes, 1e-4)
}

// TestGenerate: the same every time, and a longer text begins as a shorter one.
// The fixtures' greedy texts are compared by TestGolden of each model.
func TestGenerate(t *testing.T) {
	const question, tokens = "What do you see? Прав?", 20 // more than a step in lengths
	rt := golden.Plain(t)
	v, img := opened(t, rt), drawn(30, 44)
	text, err := v.Generate(t.Context(), img, question, tokens)
	require.NoError(t, err)
	again, err := v.Generate(t.Context(), img, question, tokens)
	require.NoError(t, err)
	require.Equal(t, text, again)

	picture := tensors.FromFlatDataAndDimensions(make([]float32, 30*44*3), 1, 30, 44, 3)
	long, err := vlm.Continue(t.Context(), vlmtest.Frame(v), picture, question, tokens)
	require.NoError(t, err)
	require.Len(t, long, tokens)
	short, err := vlm.Continue(t.Context(), vlmtest.Frame(v), picture, question, 3)
	require.NoError(t, err)
	require.Equal(t, long[:3], short)

	one, err := v.Generate(t.Context(), img, question, 1)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(text, one), "%q begins with %q", text, one)
}

func TestGenerateEnds(t *testing.T) {
	rt, img := golden.Plain(t), drawn(20, 20)
	free, err := opened(t, rt).Generate(t.Context(), img, "What is it?", 1)
	require.NoError(t, err)
	v := opened(t, rt)
	id, ok := vlm.Pieces(vlmtest.Frame(v)).Tokenizer.ID(free)
	if !ok {
		id, ok = vlm.Pieces(vlmtest.Frame(v)).Tokenizer.ID("▁" + strings.TrimSpace(free))
	}
	require.True(t, ok, "%q", free)
	ended := opened(t, rt, vlmtest.With("generation_config.json", "eos_token_id", id))
	text, err := ended.Generate(t.Context(), img, "What is it?", 5)
	require.NoError(t, err)
	require.Empty(t, text)
}

// TestHostErrors: what cannot be asked is an error, before anything is compiled.
func TestHostErrors(t *testing.T) {
	rt := golden.Plain(t)
	v, img := opened(t, rt), drawn(20, 20)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	q := dualprocess.Question{Text: "Is it?", Answer: "Yes"}
	for name, call := range map[string]func(ctx context.Context, img image.Image, q dualprocess.Question) error{
		"Score": func(ctx context.Context, img image.Image, q dualprocess.Question) error {
			_, err := v.Score(ctx, img, q)
			return err
		},
		"YesNo": func(ctx context.Context, img image.Image, q dualprocess.Question) error {
			_, err := v.YesNo(ctx, img, q)
			return err
		},
		"Generate": func(ctx context.Context, img image.Image, q dualprocess.Question) error {
			_, err := v.Generate(ctx, img, q.Text, 3)
			return err
		},
	} {
		for what, test := range map[string]struct {
			ctx   context.Context
			img   image.Image
			q     dualprocess.Question
			want  error
			names string
		}{
			"ended context":  {cancelled, img, q, context.Canceled, "llava"},
			"nil context":    {nil, img, q, dualprocess.ErrTask, "Context"},
			"nil picture":    {t.Context(), nil, q, dualprocess.ErrTask, "Image"},
			"typed nil":      {t.Context(), (*image.NRGBA)(nil), q, dualprocess.ErrTask, "Image"},
			"empty picture":  {t.Context(), image.NewNRGBA(image.Rect(3, 3, 3, 9)), q, vlm.ErrPictureSize, "6 x 0"},
			"empty question": {t.Context(), img, dualprocess.Question{Answer: "Yes"}, vlm.ErrQuestion, "empty"},
			"not UTF-8":      {t.Context(), img, dualprocess.Question{Text: "\xff", Answer: "Yes"}, vlm.ErrQuestion, "UTF-8"},
		} {
			t.Run(name+" "+what, func(t *testing.T) {
				err := call(test.ctx, test.img, test.q)
				require.ErrorIs(t, err, test.want)
				require.ErrorContains(t, err, test.names)
				require.Equal(t, 1, strings.Count(err.Error(), "llava"), err)
			})
		}
		require.NoError(t, call(t.Context(), img, q))
	}
	_, err := v.Score(t.Context(), img, dualprocess.Question{Text: "Is it?"})
	require.ErrorIs(t, err, vlm.ErrQuestion)
	require.ErrorContains(t, err, "Answer")
	_, err = v.Generate(t.Context(), img, "Is it?", 0)
	require.ErrorIs(t, err, dualprocess.ErrTask)
	require.ErrorContains(t, err, "Tokens")
	for ctx, want := range map[context.Context]error{cancelled: context.Canceled, nil: dualprocess.ErrTask} {
		_, err = v.Prepare(ctx, q, 20, 20)
		require.ErrorIs(t, err, want)
	}
}

// TestPrograms asks about more sizes than are kept compiled, and from several
// goroutines.
func TestPrograms(t *testing.T) {
	rt := golden.Plain(t)
	v := opened(t, rt)
	q := dualprocess.Question{Text: "Is it?", Answer: "Yes"}
	first, err := v.Score(t.Context(), drawn(20, 20), q)
	require.NoError(t, err)
	for side := range 10 {
		_, err := v.Score(t.Context(), drawn(21+side, 20), q)
		require.NoError(t, err)
	}
	compiled := dualprocess.Compiled(rt).Compiled
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			p, err := v.Score(t.Context(), drawn(20, 20), q)
			assert.NoError(t, err)
			assert.InDelta(t, math.Log(first), math.Log(p), 1e-5)
		})
	}
	group.Wait()
	require.Equal(t, compiled, dualprocess.Compiled(rt).Compiled)
}

// TestEnds reads what ends a text.
func TestEnds(t *testing.T) {
	const file = "generation_config.json"
	rt := golden.Plain(t)
	ends := func(changes ...vlmtest.Change) []int {
		return vlm.Pieces(vlmtest.Frame(opened(t, rt, changes...))).Ends
	}
	own := ends(vlmtest.Without(file))
	require.NotEmpty(t, own)
	for content, want := range map[string][]int{
		`{"eos_token_id": 7}`: {7}, `{"eos_token_id": [7, 9]}`: {7, 9}, `{"eos_token_id": null}`: own, `{}`: own,
	} {
		require.Equal(t, want, ends(vlmtest.Is(file, content)), content)
	}
	for _, content := range []string{`{"eos_token_id": "x"}`, `{`, `{"eos_token_id": [1.5]}`} {
		files := vlmtest.Files(t, "llava")
		vlmtest.Is(file, content)(t, files)
		_, err := llava.OpenFS(t.Context(), rt, files, llava.Options{})
		require.ErrorContains(t, err, file)
	}
}

// TestPaddedQuestionsShareAProgram: questions of similar length compile once for all
// that ask through package dualprocess, and are answered as if they were not padded.
func TestPaddedQuestionsShareAProgram(t *testing.T) {
	rt := golden.Plain(t)
	v := opened(t, rt)
	compiled := 0
	for k, q := range []dualprocess.Question{{Text: "Is it?", Answer: "Yes"}, {Text: "Is it not?", Answer: "No"}, {Text: "Is it so?", Answer: "Yes"}} {
		exact, err := v.Prepare(t.Context(), q, 20, 20)
		require.NoError(t, err)
		padded, err := v.PreparePadded(t.Context(), q, 20, 20)
		require.NoError(t, err)
		require.Less(t, exact[0].Size(), padded[0].Size())
		p, err := dualprocess.Score(t.Context(), rt, v, []dualprocess.Question{q}, drawn(20, 20))
		require.NoError(t, err)
		alone, err := v.Score(t.Context(), drawn(20, 20), q)
		require.NoError(t, err)
		require.InDelta(t, math.Log(alone), math.Log(p[0][0]), 1e-5)
		exec := golden.Run(t, rt, func(in []*graph.Node) golden.Outputs {
			return golden.Outputs{"exact": v.LogProbs(in[0], [][]*graph.Node{in[1:5]})[0], "padded": v.LogProbs(in[0], [][]*graph.Node{in[5:]})[0]}
		}, pixels.FromImages(drawn(20, 20)), exact[0], exact[1], exact[2], exact[3], padded[0], padded[1], padded[2], padded[3])
		require.InDelta(t, tensors.MustCopyFlatData[float32](exec["exact"])[0], tensors.MustCopyFlatData[float32](exec["padded"])[0], 1e-5)
		if k == 0 {
			compiled = dualprocess.Compiled(rt).Compiled
		}
	}
	require.Equal(t, compiled, dualprocess.Compiled(rt).Compiled)
}
