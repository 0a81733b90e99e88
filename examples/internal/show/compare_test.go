package show

import (
	"image"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
)

// What is measured by a pair is measured by the pictures of one prompt and seed.
func TestGaugesOfPairs(t *testing.T) {
	r, out := newRun(t)
	brighter := Gauge{Name: "brighter", OfPair: func(before, p image.Image, _ string) float64 {
		return brightness.Of(p, "") - brightness.Of(before, "")
	}}
	c := r.Control("pairs", task(), brighter, brightness)
	require.NoError(t, c.Report(
		Group{Name: "unseen", Ratings: []dualprocess.Rating{
			rated("a", 1, 1, .9, 152), rated("a", 1, 0, .2, 50), rated("a", 2, 0, .2, 60), rated("a", 2, 1, .9, 162), rated("b", 2, 1, .9, 250),
		}},
		Group{Name: "in words", Plain: func(p string) string { return strings.TrimSuffix(p, " brightly") }, Ratings: []dualprocess.Rating{
			rated("a brightly", 1, 0, .9, 101), rated("b brightly", 1, 0, .9, 101),
		}},
	))
	groups := readNumbers(t, r)["controls"].([]any)[0].(map[string]any)["groups"].([]any)
	gauges := func(group int) (of []any) {
		for _, p := range groups[group].(map[string]any)["pictures"].([]any) {
			of = append(of, p.(map[string]any)["gauges"].([]any)[0])
		}
		return of
	}
	assert.Equal(t, []any{.4, 0., 0., .4, nil}, gauges(0), "without a picture before there is no pair")
	assert.Equal(t, []any{.2, nil}, gauges(1), "with the plain caption's picture")
	assert.Contains(t, out.String(), "0.400 ±0.000")
	r, _ = newRun(t, "-guard")
	assert.Nil(t, r.Control("guarded", task(), brighter).Task.Judge.Scorer, "a judge sees one picture")
}

// A share that falls by nine points is a suspicion; what falls by less is told, unless it
// may be chance.
func TestNothingIsFineThatIsNot(t *testing.T) {
	for name, test := range map[string]struct {
		lost, pictures int64
		want           string
	}{
		"as before":   {0, 64, "and nothing else suffered"},
		"chance":      {1, 64, "and nothing else suffered"},
		"told":        {4, 64, "the rest suffered within its tolerance:\n    - subject there went from 100 % to 94 %"},
		"suspected":   {6, 64, "but subject there went from 100 % to 91 %"},
		"few, chance": {1, 8, "and nothing else suffered"},
		"few":         {6, 8, "but subject there went from 100 % to 25 %"},
	} {
		t.Run(name, func(t *testing.T) {
			r, out := newRun(t)
			there := Subject()
			there.Tolerance = .07
			there.Of = func(p image.Image, prompt string) float64 {
				return choose(prompt == "a" || brightness.Of(p, "") < .5, 1., 0.)
			}
			c := r.Control("verdict", task(), Gauge{Name: "wish", Of: func(p image.Image, _ string) float64 { return brightness.Of(p, "") }}, there)
			var ratings []dualprocess.Rating
			for seed := range test.pictures {
				prompt := choose(seed < test.lost, "b", "a")
				ratings = append(ratings, rated(prompt, seed, 0, .3, 50), rated(prompt, seed, 1, .9, 150))
			}
			require.NoError(t, c.Report(Group{Name: "unseen", Ratings: ratings}))
			assert.Contains(t, out.String(), test.want)
		})
	}
}

// A quality that cannot be told of any picture any more has suffered.
func TestWhatCannotBeToldHasSuffered(t *testing.T) {
	r, out := newRun(t)
	where := Gauge{Name: "where", Less: true, Tolerance: .1, Of: func(p image.Image, _ string) float64 {
		return choose(brightness.Of(p, "") < .5, .2, math.NaN())
	}}
	c := r.Control("verdict", task(), Gauge{Name: "wish", Of: brightness.Of}, where)
	require.NoError(t, c.Report(Group{Name: "unseen", Ratings: []dualprocess.Rating{rated("a", 1, 0, .3, 50), rated("a", 1, 1, .9, 150)}}))
	assert.Contains(t, out.String(), "but where went from 0.200 to –")
}

// What is kept of the picture before is judged by what the generator itself keeps of it when
// the caption asks for the look.
func TestPairsAreJudgedByWords(t *testing.T) {
	kept := Gauge{Name: "kept", Tolerance: .05, OfPair: func(before, p image.Image, _ string) float64 {
		return 1 - max(brightness.Of(p, "")-brightness.Of(before, ""), 0)
	}}
	const wordsKeep = .8 // of 1
	for name, test := range map[string]struct {
		keeps float64
		want  string
	}{
		"as words": {.78, "the rest suffered within its tolerance:\n    - kept went from 1.000 to 0.780 (asked in words, without the adapter: 0.800)"},
		"less":     {.6, "P(answer) rose from 0.30 to 0.90, but kept went from 1.000 to 0.600 (asked in words, without the adapter: 0.800)"},
	} {
		t.Run(name, func(t *testing.T) {
			r, out := newRun(t)
			c := r.Control("verdict", task(), Gauge{Name: "wish", Of: func(p image.Image, _ string) float64 { return brightness.Of(p, "") }}, kept)
			shade := func(keeps float64) uint8 { return 50 + uint8(math.Round(255*(1-keeps))) }
			var plain, words []dualprocess.Rating
			for seed := range int64(8) {
				plain = append(plain, rated("a", seed, 0, .3, 50), rated("a", seed, 1, .9, shade(test.keeps)))
				words = append(words, rated("a so", seed, 0, .8, shade(wordsKeep)))
			}
			require.NoError(t, c.Report(Group{Name: "unseen", Ratings: plain},
				Group{Name: "in words", Ratings: words, Plain: func(p string) string { return strings.TrimSuffix(p, " so") }}))
			assert.Contains(t, out.String(), test.want)
		})
	}
}
