package verifier_test

import (
	"context"
	"image"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/verifier"
)

// TestVQAScore: the number is P(answer) of the question that the template makes, word
// for word, of the caption.
func TestVQAScore(t *testing.T) {
	rt := golden.Plain(t)
	img := image.NewGray(image.Rect(0, 0, 64, 64))
	for folder, test := range map[string]struct{ template, caption, asked string }{
		"../internal/golden/testdata/verifier/llava/model": {"", "a red cup", `Does this figure show "a red cup"? Please answer yes or no.`},
		pocketFolder: {"{}", "Is the lake frozen?", "Is the lake frozen?"},
	} {
		t.Run(folder, func(t *testing.T) {
			v, err := verifier.Open(t.Context(), rt, folder, verifier.Options{})
			require.NoError(t, err)
			defer func() { require.NoError(t, v.Close()) }()
			s := verifier.VQAScore{Scorer: v, Template: test.template}
			for _, answer := range []string{"Yes", "No"} {
				want, err := v.Score(t.Context(), img, dualprocess.Question{Text: test.asked, Answer: answer, Bare: true})
				require.NoError(t, err)
				got, err := s.Score(t.Context(), img, dualprocess.Question{Text: test.caption, Answer: answer, Suffix: " Really?"})
				require.NoError(t, err)
				require.Equal(t, want, got)
			}
		})
	}
}

// never is a model that must not be asked.
type never struct{ t *testing.T }

func (n never) Score(context.Context, image.Image, dualprocess.Question) (float64, error) {
	n.t.Fatal("asked")
	return 0, nil
}

func TestVQAScoreRefused(t *testing.T) {
	img := image.NewGray(image.Rect(0, 0, 8, 8))
	for field, test := range map[string]struct {
		s verifier.VQAScore
		q dualprocess.Question
	}{
		"Scorer":   {verifier.VQAScore{}, dualprocess.Question{Text: "a cup", Answer: "Yes"}},
		"Template": {verifier.VQAScore{Scorer: never{t}, Template: "Is it %s?"}, dualprocess.Question{Text: "a cup", Answer: "Yes"}},
		"Text":     {verifier.VQAScore{Scorer: never{t}}, dualprocess.Question{Text: " ", Answer: "Yes"}},
	} {
		_, err := test.s.Score(t.Context(), img, test.q)
		require.ErrorIs(t, err, dualprocess.ErrTask)
		require.ErrorContains(t, err, field)
	}
}
