package show

import (
	"image"
	"math"
	"testing"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/lora"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The guards of -guard come with every control, and what they find is told and kept.
func TestGuard(t *testing.T) {
	r, out := newRun(t, "-guard", "-hack")
	c := r.Control("guarded", task(), brightness)
	got := c.Task
	assert.Len(t, got.StopAt.Seeds, guardedSeeds)
	assert.Equal(t, guardedBounds, got.Bounds)
	require.Len(t, got.Judge.Questions, 1)
	assert.Equal(t, []string{"a sea"}, got.Judge.Questions[0].Prompts)
	p, err := got.Judge.Scorer.Score(t.Context(), rated("", 0, 0, 0, 204).Image, got.Judge.Questions[0])
	require.NoError(t, err)
	assert.InDelta(t, .8, p, 1e-9)

	reason := dualprocess.Judgement{Suspected: true, Reasons: []string{"too dark"}}
	c.Task.Progress(dualprocess.Update{Number: 10, Total: 20, Findings: &dualprocess.Findings{}})
	c.Task.Progress(dualprocess.Update{Number: 20, Total: 20, Findings: &dualprocess.Findings{Hacking: reason}})
	a, err := lora.New(lora.Config{Rank: 2}, []lora.Layer{{Name: "layer", In: 4, Out: 4}})
	require.NoError(t, err)
	_, err = c.Keep(a, nil)
	require.NoError(t, err)
	assert.Contains(t, out.String(), "SUSPECTED in 1 of 2 validations, first after update 20:\n    - too dark")
	updates := readNumbers(t, r)["controls"].([]any)[0].(map[string]any)["training"].(map[string]any)["updates"].([]any)
	assert.Equal(t, []any{"too dark"}, updates[1].(map[string]any)["findings"].(map[string]any)["suspected_reward_hacking"])

	r, _ = newRun(t, "-guard")
	assert.Nil(t, r.Control("unmeasured", task(), Contrast()).Task.Judge.Scorer)
}

func TestJudgeOfGauges(t *testing.T) {
	value := func(v float64) func(image.Image, string) float64 {
		return func(image.Image, string) float64 { return v }
	}
	for _, c := range []struct {
		gauge Gauge
		want  float64
	}{
		{Gauge{Of: value(.3)}, .3}, {Gauge{Of: value(1.4)}, 1}, {Gauge{Of: value(-.2)}, 0}, {Gauge{Of: value(math.NaN())}, 0},
		{Gauge{Of: value(2), Half: 2}, .5}, {Gauge{Of: value(4), Half: 2}, 16. / 17}, {Gauge{Of: value(0), Half: 2}, 0},
		{Gauge{Of: value(4), Half: 2, Less: true}, 1. / 17}, {Gauge{Of: value(0), Half: 2, Less: true}, 1}, {Gauge{Of: value(math.NaN()), Half: 2, Less: true}, 0},
	} {
		p, err := c.gauge.Score(t.Context(), nil, dualprocess.Question{})
		require.NoError(t, err)
		assert.InDelta(t, c.want, p, 1e-9)
	}
}

// The judge of -guard is the measurement with the qualities of single pictures: what has
// lost its subject is not as asked.
func TestJudgeLooksAtQuality(t *testing.T) {
	r, _ := newRun(t, "-guard")
	always := func(v float64) func(image.Image, string) float64 {
		return func(image.Image, string) float64 { return v }
	}
	subject, contrast := Gauge{Of: always(.5), Share: true}, Gauge{Of: always(.1)}
	pair := Gauge{Share: true, OfPair: func(_, _ image.Image, _ string) float64 { return 0 }}
	c := r.Control("guarded", task(), Gauge{Of: always(.8)}, subject, contrast, pair)
	p, err := c.Task.Judge.Scorer.Score(t.Context(), nil, dualprocess.Question{})
	require.NoError(t, err)
	assert.InDelta(t, .4, p, 1e-9)
}

// dimOnly cannot tell of bright pictures.
func dimOnly(p image.Image) float64 {
	if brightness.Of(p, "") > .8 {
		return math.NaN()
	}
	return 1
}
