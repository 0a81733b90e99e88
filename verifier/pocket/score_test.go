package pocket

import (
	"context"
	"image"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
)

// drawn is a lake as an image.
func drawn(size int) image.Image {
	return world.NewScene(rand.New(rand.NewPCG(8, 8)), world.Lake, world.Broad).Draw(size).Image()
}

// TestScore compares Score and YesNo with what the core computes by LogProbs, twice: the
// second time nothing is compiled.
func TestScore(t *testing.T) {
	v := open(t)
	img := drawn(2 * v.config.ImageSize)
	yes := dualprocess.Question{Text: "Is the lake frozen?", Answer: "Yes"}
	no := dualprocess.Question{Text: yes.Text, Answer: "No"}
	want, err := dualprocess.Score(t.Context(), v.runtime, v, []dualprocess.Question{yes, no}, img)
	require.NoError(t, err)
	var compiled dualprocess.Programs
	for k := range 2 {
		got, err := v.Score(t.Context(), img, yes)
		require.NoError(t, err)
		assert.InDelta(t, math.Log(want[0][0]), math.Log(got), 1e-3)
		share, err := v.YesNo(t.Context(), img, dualprocess.Question{Text: yes.Text, Answer: "whatever"})
		require.NoError(t, err)
		assert.InDelta(t, want[0][0]/(want[0][0]+want[0][1]), share, 1e-4)
		if k == 0 {
			compiled = dualprocess.Compiled(v.runtime)
		}
	}
	require.Equal(t, compiled, dualprocess.Compiled(v.runtime))
}

// TestGenerate: the model says the word that it finds likeliest.
func TestGenerate(t *testing.T) {
	v := open(t)
	img, question := drawn(v.config.ImageSize), "Is the lake frozen? Answer with Yes or No."
	word, err := v.Generate(t.Context(), img, question, 5)
	require.NoError(t, err)
	p, err := v.Score(t.Context(), img, dualprocess.Question{Text: question, Answer: word, Bare: true})
	require.NoError(t, err)
	require.Contains(t, []string{"yes", "no"}, word)
	require.Greater(t, p, 0.5)
}

func TestScoreNamesWhatIsWrong(t *testing.T) {
	v := open(t)
	img, q := drawn(v.config.ImageSize), dualprocess.Question{Text: "Is it winter?", Answer: "Yes"}
	for name, test := range map[string]struct {
		ctx   context.Context
		img   image.Image
		q     dualprocess.Question
		want  error
		names string
	}{
		"nil context":    {nil, img, q, dualprocess.ErrTask, "Context"},
		"nil picture":    {t.Context(), nil, q, dualprocess.ErrTask, "Image"},
		"typed nil":      {t.Context(), (*image.NRGBA)(nil), q, dualprocess.ErrTask, "Image"},
		"empty picture":  {t.Context(), image.NewNRGBA(image.Rect(0, 0, 0, 9)), q, ErrPictureSize, "9 x 0"},
		"small picture":  {t.Context(), image.NewNRGBA(image.Rect(0, 0, 9, 9)), q, ErrPictureSize, "9x9"},
		"empty question": {t.Context(), img, dualprocess.Question{Answer: "Yes"}, ErrQuestion, "empty"},
		"unknown word":   {t.Context(), img, dualprocess.Question{Text: "Is it a zeppelin?", Answer: "Yes"}, ErrUnknownWord, "zeppelin"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := v.Score(test.ctx, test.img, test.q)
			require.ErrorIs(t, err, test.want)
			require.ErrorContains(t, err, test.names)
			_, err = v.YesNo(test.ctx, test.img, test.q)
			require.ErrorIs(t, err, test.want)
			_, err = v.Generate(test.ctx, test.img, test.q.Text, 1)
			require.ErrorIs(t, err, test.want)
			if test.ctx == nil {
				_, err := v.Prepare(test.ctx, test.q, 64, 64)
				require.ErrorIs(t, err, test.want)
			}
		})
	}
	_, err := v.Score(t.Context(), img, dualprocess.Question{Text: "Is it winter?"})
	require.ErrorIs(t, err, ErrAnswer)
	_, err = v.Generate(t.Context(), img, q.Text, 0)
	require.ErrorIs(t, err, dualprocess.ErrTask)
}
