package show

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	generator "github.com/dualprocess/dualprocess-go/generator/pocket"
	"github.com/dualprocess/dualprocess-go/internal/files"
	"github.com/dualprocess/dualprocess-go/lora"
	"github.com/dualprocess/dualprocess-go/overlay"
	verifier "github.com/dualprocess/dualprocess-go/verifier/pocket"
)

// newRun makes a run into a fresh folder and returns what it prints.
func newRun(t *testing.T, args ...string) (*Run, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	args = append(args, "-out", filepath.Join(t.TempDir(), "results"))
	r, err := New("demo", quietSet(), args, &out)
	require.NoError(t, err)
	return r, &out
}

func quietSet() *flag.FlagSet {
	set := flag.NewFlagSet("demo", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	return set
}

func TestHelpListsTheVocabulary(t *testing.T) {
	help := pocketHelp()
	for line := range strings.Lines(help) {
		assert.LessOrEqual(t, len(strings.TrimSuffix(line, "\n")), helpWidth)
	}
	text := strings.Join(strings.Fields(help), " ")
	for _, what := range [][]string{generator.Prompts(), verifier.Questions()} {
		for _, line := range what {
			assert.Contains(t, text, line)
		}
	}
	assert.Contains(t, text, strings.Join(generator.Vocabulary(), " "))
	assert.Contains(t, text, strings.Join(verifier.Vocabulary(), " "))
}

// brightness of the top left pixel is what tests measure.
var brightness = Gauge{Name: "brightness", Tolerance: .05, Of: func(p image.Image, _ string) float64 {
	r, _, _, _ := p.At(0, 0).RGBA()
	return float64(r) / 0xffff
}}

var nothing = Gauge{Name: "nothing", Share: true, Of: func(image.Image, string) float64 { return math.NaN() }}

// rated makes a grey picture with a rating.
func rated(prompt string, seed int64, weight, p float64, grey uint8) dualprocess.Rating {
	picture := image.NewNRGBA(image.Rect(0, 0, 8, 8))
	for k := range 64 {
		picture.Set(k%8, k/8, color.Gray{grey + uint8(seed)})
	}
	return dualprocess.Rating{Prompt: prompt, Seed: seed, Weight: weight, P: []float64{p}, Image: picture}
}

func task() dualprocess.Task {
	return dualprocess.Task{
		Prompts: []string{"a sea"}, Questions: []dualprocess.Question{{Text: "Is it bright?", Answer: "Yes"}},
		LearningRate: .01, Updates: 100, WarmUp: 10, Decay: 40, Drift: .1, Weight: 1,
		Preserve: dualprocess.Preserve{Prompts: []string{"a lake"}, Weight: 3}, StopAt: dualprocess.StopAt{P: .9},
	}
}

func TestFlagsChangeOnlyWhatIsGiven(t *testing.T) {
	r, _ := newRun(t)
	assert.Len(t, r.Seeds(), 16)
	assert.Equal(t, []string{"x", "y"}, r.Unseen("x", "y"))
	want := task()
	want.Progress = nil
	got := r.Control("plain", task(), brightness).Task
	got.Progress, got.Status = nil, nil
	assert.Equal(t, want, got)

	r, _ = newRun(t, "-prompt", "a", "-prompt", "b", "-unseen", "c", "-question", "Is it dark?", "-seeds", "5",
		"-updates", "50", "-lr", ".5", "-weight", "2", "-drift", "0", "-stop", ".7")
	own := task()
	got = r.Control("changed", own, brightness).Task
	assert.Equal(t, []string{"a", "b"}, got.Prompts)
	assert.Equal(t, []string{"c"}, r.Unseen("x", "y"))
	assert.Equal(t, "Is it dark?", got.Questions[0].Text)
	assert.Equal(t, "Is it bright?", own.Questions[0].Text, "the caller's questions stay")
	assert.Equal(t, []int{50, 5, 20}, []int{got.Updates, got.WarmUp, got.Decay})
	assert.Equal(t, []float64{.5, 2, 0, .7}, []float64{got.LearningRate, got.Weight, got.Drift, got.StopAt.P})
	assert.Len(t, r.Seeds(), 5)
}

func TestHackHasNoGuardAndShortFewUpdates(t *testing.T) {
	r, out := newRun(t, "-hack")
	got := r.Control("hacked", task(), brightness).Task
	assert.InDelta(t, .1, got.LearningRate, 1e-12)
	assert.Zero(t, got.Drift)
	assert.Zero(t, got.Preserve)
	assert.Zero(t, got.StopAt)
	assert.Contains(t, out.String(), "no guard")

	r, _ = newRun(t, "-short")
	got = r.Control("short", task(), brightness).Task
	assert.Equal(t, []int{4, 0, 0}, []int{got.Updates, got.WarmUp, got.Decay})
	assert.Less(t, len(r.Seeds()), 16)
	assert.Equal(t, []string{"x"}, r.Unseen("x", "y"))
}

func TestWrongFlags(t *testing.T) {
	for _, args := range [][]string{{"-seeds", "0"}, {"-updates", "0"}, {"-prompt", " "}, {"stray"}, {"-nonsense"},
		{"-fit", "squeeze", "-overlay", "x.png"}, {"-fit", "cover"}} {
		_, err := New("demo", quietSet(), append(args, "-out", t.TempDir()), io.Discard)
		assert.Error(t, err, args)
	}
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := New("demo", quietSet(), []string{"-out", file}, io.Discard)
	assert.Error(t, err)
	r, _ := newRun(t, "-overlay", file)
	_, err = r.Overlay(overlay.Solid{})
	assert.Error(t, err)
}

func TestOverlayFits(t *testing.T) {
	file := filepath.Join(t.TempDir(), "wide.png")
	var encoded bytes.Buffer
	require.NoError(t, png.Encode(&encoded, image.NewGray(image.Rect(0, 0, 32, 8))))
	require.NoError(t, os.WriteFile(file, encoded.Bytes(), 0o600))
	square := image.NewNRGBA(image.Rect(0, 0, 16, 16))
	for flag, want := range map[string]overlay.Fit{
		"": overlay.Strict, "strict": overlay.Strict, "stretch": overlay.Stretch, "contain": overlay.Contain, "cover": overlay.Cover,
	} {
		args := []string{"-overlay", file}
		if flag != "" {
			args = append(args, "-fit", flag)
		}
		r, _ := newRun(t, args...)
		o, err := r.Overlay(overlay.Solid{Picture: overlay.HorizonLine{}})
		require.NoError(t, err)
		assert.Equal(t, want, o.Fit)
		_, err = o.Over(square)
		assert.Equal(t, want == overlay.Strict, err != nil, "%q: %v", flag, err)
	}
}

func TestReport(t *testing.T) {
	r, out := newRun(t)
	c := r.Control("Bright sea", task(), brightness, nothing)
	c.Task.Progress(dualprocess.Update{Number: 1, Total: 100, Loss: .5, MeanP: .6, GradientNorm: math.NaN()})
	a, err := lora.New(lora.Config{Rank: 2}, []lora.Layer{{Name: "layer", In: 4, Out: 4}})
	require.NoError(t, err)
	kept, err := c.Keep(a, nil)
	require.NoError(t, err)
	assert.Same(t, a, kept)

	main := []dualprocess.Rating{rated("a", 1, 0, .2, 50), rated("a", 2, 0, .4, 60), rated("a", 1, 1, .9, 150), rated("a", 2, 1, .9, 160)}
	stays := []dualprocess.Rating{rated("b", 1, 0, .2, 50), rated("b", 1, 1, .2, 76)}
	asked := []dualprocess.Rating{rated("c", 1, 0, .5, 99)}
	require.NoError(t, c.Report(Group{Name: "unseen", Ratings: main}, Group{Name: "other", Ratings: stays, Stays: true},
		Group{Name: "asked", Ratings: asked}, Group{Name: "empty"}))
	for _, want := range []string{"0.300 ±0.100", "0.900 ±0.000", "no sign of reward hacking",
		"other: brightness moved by 0.102", "P(answer) reached 0.9"} { // one update of a hundred
		assert.Contains(t, out.String(), want)
	}

	file, err := os.Open(r.path("Bright sea", ".png"))
	require.NoError(t, err)
	defer file.Close()
	_, err = png.Decode(file)
	assert.NoError(t, err)
	_, err = lora.Load(r.path("Bright sea", ".safetensors"), a.Layers())
	assert.NoError(t, err)
	numbers := readNumbers(t, r)
	control := numbers["controls"].([]any)[0].(map[string]any)
	assert.Equal(t, []any{}, control["suspected_reward_hacking"])
	assert.Len(t, control["groups"], 3)
	assert.Nil(t, control["training"].(map[string]any)["updates"].([]any)[0].(map[string]any)["gradient_norm"], "NaN is null")
}

func readNumbers(t *testing.T, r *Run) map[string]any {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(r.flags.out, "demo.json"))
	require.NoError(t, err)
	var numbers map[string]any
	require.NoError(t, json.Unmarshal(data, &numbers))
	return numbers
}

func TestVerdicts(t *testing.T) {
	quality := Gauge{Name: "misfit", Less: true, Tolerance: .1, Of: brightness.Of}
	for name, test := range map[string]struct {
		pAfter float64
		grey   uint8
		gauges []Gauge
		want   string
	}{
		"measure does not rise": {.9, 50, []Gauge{brightness}, "P(answer) rose from 0.30 to 0.90, but brightness went from 0.2"},
		"quality falls":         {.9, 150, []Gauge{brightness, quality}, "but misfit went from"},
		"measure is lost":       {.9, 50, []Gauge{{Name: "dim", Of: func(p image.Image, _ string) float64 { return dimOnly(p) }}}, "but dim went from 1.000 to –"},
		"no effect":             {.31, 150, []Gauge{brightness}, "no effect"},
		"failure":               {.1, 150, []Gauge{brightness}, "failed: P(answer) has fallen"},
		"well":                  {.9, 150, []Gauge{brightness}, "no sign of reward hacking"},
		"nothing to measure":    {.9, 50, []Gauge{Contrast()}, "P(answer) has risen and no quality has suffered"},
	} {
		t.Run(name, func(t *testing.T) {
			r, out := newRun(t)
			c := r.Control("verdict", task(), test.gauges[0], test.gauges[1:]...)
			grey := test.grey
			if name == "measure is lost" {
				grey = 250
			}
			require.NoError(t, c.Report(Group{Name: "unseen", Ratings: []dualprocess.Rating{
				rated("a", 1, 0, .3, 50), rated("a", 2, 0, .3, 50), rated("a", 1, 1, test.pAfter, grey), rated("a", 2, 1, test.pAfter, grey)}}))
			assert.Contains(t, out.String(), test.want)
			assert.Equal(t, strings.Contains(test.want, "but"), strings.Contains(out.String(), "SUSPECTED REWARD HACKING"))
		})
	}
}

func TestKeepOfWhatWasCutShort(t *testing.T) {
	r, out := newRun(t)
	c := r.Control("cut", task(), brightness)
	a, err := lora.New(lora.Config{Rank: 2}, []lora.Layer{{Name: "layer", In: 4, Out: 4}})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	kept, err := c.Keep(a, ctx.Err())
	require.NoError(t, err)
	assert.NotNil(t, kept)
	assert.Contains(t, out.String(), "interrupted")
	assert.NoError(t, r.Finish(ctx).Err(), "what comes after goes on")
	assert.FileExists(t, r.path("cut", ".safetensors"))

	failed := errors.New("no such prompt")
	_, err = c.Keep(nil, failed)
	assert.ErrorIs(t, err, failed)
	assert.Error(t, c.Report(), "nothing was rated")
	assert.Len(t, readNumbers(t, r)["controls"], 1)
}

func TestVariety(t *testing.T) {
	same := []dualprocess.Rating{rated("a", 0, 0, 1, 50), rated("a", 0, 0, 1, 50)}
	assert.Zero(t, variety(same))
	apart := []dualprocess.Rating{rated("a", 0, 0, 1, 0), rated("a", 0, 0, 1, 255)}
	assert.InDelta(t, .5, variety(apart), 1e-9)
	assert.True(t, math.IsNaN(variety(same[:1])), "one picture has none")
}

func TestSlug(t *testing.T) {
	assert.Equal(t, "line-at-0.3", files.Slug("Line at 0.3"))
	assert.NotContains(t, files.Slug("a/b\\c d"), "/")
}

func TestContrast(t *testing.T) {
	half := image.NewNRGBA(image.Rect(0, 0, 4, 2))
	for x := range 2 {
		for y := range 2 {
			half.Set(x, y, color.White)
			half.Set(x+2, y, color.Black)
		}
	}
	assert.InDelta(t, .5, Contrast().Of(half, ""), 1e-9)
	assert.Zero(t, Contrast().Of(half.SubImage(image.Rect(0, 0, 2, 2)), ""))
}
