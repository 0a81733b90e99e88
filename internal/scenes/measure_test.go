package scenes

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// spoils are the ways in which pictures that are measured differ from drawn
// ones: soft like a decoder's, blurred, noisy, off colour.
var spoils = []struct {
	name  string
	spoil func(*rand.Rand, *Picture) *Picture
}{
	{"clean", func(_ *rand.Rand, p *Picture) *Picture { return p }},
	{"soft", func(_ *rand.Rand, p *Picture) *Picture { return average(p, blurred(p)) }},
	{"blurred", func(_ *rand.Rand, p *Picture) *Picture { return blurred(p) }},
	{"noisy", func(rng *rand.Rand, p *Picture) *Picture { return noisy(rng, p, .05) }},
	{"off colour", offColour},
	{"blurred and noisy", func(rng *rand.Rand, p *Picture) *Picture { return noisy(rng, blurred(p), .05) }},
}

// blurred averages over boxes of 3x3 pixels.
func blurred(p *Picture) *Picture {
	out, last := NewPicture(p.Size), p.Size-1
	for k := 0; k < p.Size*p.Size; k++ {
		var sum RGB
		for i := 0; i < 9; i++ {
			column, row := k%p.Size+i%3-1, k/p.Size+i/3-1
			sum = sum.add(p.At(min(max(column, 0), last), min(max(row, 0), last)))
		}
		out.Set(k%p.Size, k/p.Size, sum.scale(1./9))
	}
	return out
}

func average(a, b *Picture) *Picture {
	out := a.Clone()
	for i, v := range b.Pix {
		out.Pix[i] = (out.Pix[i] + v) / 2
	}
	return out
}

func noisy(rng *rand.Rand, p *Picture, sigma float64) *Picture {
	out := p.Clone()
	for i, v := range out.Pix {
		out.Pix[i] = float32(clamp01(float64(v) + sigma*rng.NormFloat64()))
	}
	return out
}

// offColour gives every channel a gain and an offset with a spread of .05.
func offColour(rng *rand.Rand, p *Picture) *Picture {
	out := p.Clone()
	for c := 0; c < 3; c++ {
		gain, offset := 1+.05*rng.NormFloat64(), .05*rng.NormFloat64()
		for i := c; i < len(out.Pix); i += 3 {
			out.Pix[i] = float32(clamp01(gain*float64(out.Pix[i]) + offset))
		}
	}
	return out
}

// errorsOf measures scenes of a family and returns the sorted errors.
func errorsOf(f Family, w World, count int, spoil func(*rand.Rand, *Picture) *Picture, off func(Scene, *Picture) float64) []float64 {
	rng := rand.New(rand.NewPCG(11, uint64(f)))
	var errors []float64
	for i := 0; i < count; i++ {
		s := New(rng, f, w)
		errors = append(errors, off(s, spoil(rng, s.Draw(64))))
	}
	quantile(errors, 0)
	return errors
}

func TestMeasureHorizon(t *testing.T) {
	for _, c := range spoils {
		errors := errorsOf(Landscape, Broad, 100, c.spoil, func(s Scene, p *Picture) float64 {
			row, _ := MeasureHorizon(p)
			return math.Abs(row - s.Horizon)
		})
		t.Logf("%s: median %.4f, p90 %.4f, p97 %.4f", c.name, quantile(errors, .5), quantile(errors, .9), quantile(errors, .97))
		require.LessOrEqual(t, quantile(errors, .5), .008, c.name)
		require.LessOrEqual(t, quantile(errors, .9), .03, c.name)
	}
}

func TestMeasureHorizonDoubtsWithoutOne(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	var with, without []float64
	for i := 0; i < 100; i++ {
		s := New(rng, Landscape, Narrow)
		_, sure := MeasureHorizon(noisy(rng, s.Draw(64), .03))
		with = append(with, sure)
		s.Gone, s.Fade = Subject, 1
		_, sure = MeasureHorizon(noisy(rng, s.Draw(64), .03))
		without = append(without, sure)
	}
	t.Logf("confidence with a horizon: p5 %.2f, median %.2f; without: median %.2f, p95 %.2f",
		quantile(with, .05), quantile(with, .5), quantile(without, .5), quantile(without, .95))
	require.Greater(t, quantile(with, .05), quantile(without, .90))
	require.Less(t, quantile(without, .5), .1)
}

func TestPaletteError(t *testing.T) {
	errors := errorsOf(Landscape, Narrow, 100, spoils[0].spoil, func(s Scene, p *Picture) float64 { return PaletteError(p, s) })
	t.Logf("palette error of drawn scenes: median %.4f, p90 %.4f", quantile(errors, .5), quantile(errors, .9))
	require.Less(t, quantile(errors, .5), .025)
	wrong := errorsOf(Landscape, Narrow, 100, spoils[0].spoil, func(s Scene, p *Picture) float64 {
		s.Time = map[string]string{"day": "night", "night": "sunset", "sunset": "day"}[s.Time]
		return PaletteError(p, s)
	})
	require.Greater(t, quantile(wrong, .05), .08)
}

func TestMeasureStroke(t *testing.T) {
	for _, c := range spoils {
		for _, width := range []float64{1.3, 1.65, 2.2, 3.5, 5} {
			ratios := errorsOf(Drawing, Narrow, 24, c.spoil, func(s Scene, _ *Picture) float64 {
				rng := rand.New(rand.NewPCG(s.Seed, 3))
				s.Stroke = width
				return MeasureStroke(c.spoil(rng, s.Draw(64))) / width
			})
			t.Logf("%s %.2f px: measured/true p10 %.2f, median %.2f, p90 %.2f", c.name, width,
				quantile(ratios, .1), quantile(ratios, .5), quantile(ratios, .9))
			require.InDelta(t, 1, quantile(ratios, .5), strokeTolerance(c.name, width), "%s %g", c.name, width)
			require.Greater(t, quantile(ratios, .1), .80, "%s %g: a thin stroke must be no illusion", c.name, width)
		}
	}
	blank := Scene{Family: Drawing, Thing: "fish", Ink: "red", Stroke: 2, Size: 1, Gone: Subject, Fade: 1}
	require.Zero(t, MeasureStroke(blank.Draw(64)))
}

// strokeTolerance is the relative error allowed: what softens by up to three
// pixels makes strokes thinner than that look wider, which cannot be undone.
func strokeTolerance(spoil string, width float64) float64 {
	switch {
	case width > 3, spoil == "clean", spoil == "noisy", spoil == "off colour":
		return .15
	case spoil == "soft":
		return .40
	case width > 2:
		return .35
	}
	return 1
}

func TestMeasureNearness(t *testing.T) {
	for _, c := range spoils {
		right, clear := 0, 0
		errors := errorsOf(Room, Broad, 80, c.spoil, func(s Scene, p *Picture) float64 {
			near, _ := MeasureNearness(p, s.Objects)
			if d := s.Near[0] - s.Near[1]; math.Abs(d) > .1 {
				clear++
				if d*(near[0]-near[1]) > 0 {
					right++
				}
			}
			return math.Abs(near[0] - s.Near[0])
		})
		t.Logf("%s: median %.3f, p90 %.3f; order right %d of %d", c.name, quantile(errors, .5), quantile(errors, .9), right, clear)
		require.LessOrEqual(t, quantile(errors, .5), .05, c.name)
		require.LessOrEqual(t, quantile(errors, .9), .12, c.name)
		require.GreaterOrEqual(t, float64(right), .95*float64(clear), c.name)
	}
}

func TestMeasureAmount(t *testing.T) {
	for _, f := range []Family{Lake, Lamp} {
		for _, c := range spoils {
			errors := errorsOf(f, Broad, 80, c.spoil, func(s Scene, p *Picture) float64 {
				return math.Abs(MeasureAmount(p, f) - s.Amount)
			})
			t.Logf("%v %s: median %.3f, p90 %.3f", f, c.name, quantile(errors, .5), quantile(errors, .9))
			require.LessOrEqual(t, quantile(errors, .5), .08, c.name)
			require.LessOrEqual(t, quantile(errors, .9), .18, c.name)
		}
	}
	require.True(t, math.IsNaN(MeasureAmount(NewPicture(64), Room)))
}

func TestSubjectThere(t *testing.T) {
	const count = 20
	for _, c := range spoils {
		for _, f := range Families() {
			rng := rand.New(rand.NewPCG(21, uint64(f)))
			there, gone := 0, 0
			for i := 0; i < count; i++ {
				s := New(rng, f, Narrow)
				caption, err := Parse(s.Caption())
				require.NoError(t, err)
				if SubjectThere(c.spoil(rng, s.Draw(64)), caption) {
					there++
				}
				s.Gone, s.Fade = Subject, 1
				if f == Room {
					s.Gone = LeftObject
				}
				if SubjectThere(c.spoil(rng, s.Draw(64)), caption) {
					gone++
				}
			}
			t.Logf("%s %v: %d of %d there, %d of %d although gone", c.name, f, there, count, gone, count)
			require.GreaterOrEqual(t, there, count*85/100, "%s %v", c.name, f)
			require.LessOrEqual(t, gone, count*10/100, "%s %v", c.name, f)
		}
	}
}

// TestThinLinesAreReadable: a person reads a drawing in lines thinner than a pixel, or
// in which some of the ink has faded, but not one that is half gaps.
func TestThinLinesAreReadable(t *testing.T) {
	const count = 40
	good := func(change func(s *Scene)) int {
		rng := rand.New(rand.NewPCG(3, 4))
		n := 0
		for range count {
			s := New(rng, Drawing, Narrow)
			change(&s)
			if p := s.Draw(64); MeasureThing(average(p, blurred(p))).Good(s.Thing) {
				n++
			}
		}
		return n
	}
	require.Equal(t, count, good(func(s *Scene) { s.Stroke = .8 }))
	require.GreaterOrEqual(t, good(func(s *Scene) { s.Stroke, s.Wash = 1.3, .75 }), count*95/100, "a quarter of the ink of a stretch is there")
	require.LessOrEqual(t, good(func(s *Scene) { s.Stroke, s.Gaps = 1.3, .5 }), count*15/100)
}

func TestMeasureLargerPictures(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	s := New(rng, Landscape, Narrow)
	row, _ := MeasureHorizon(s.Draw(160))
	require.InDelta(t, s.Horizon, row, .02)
	s = New(rng, Drawing, Narrow)
	require.InEpsilon(t, s.Stroke, MeasureStroke(s.Draw(128)), .2)
}

func TestParse(t *testing.T) {
	for _, f := range Families() {
		for i, caption := range Captions(f) {
			if i%17 != 0 { // parsing tries all captions: a sample is enough
				continue
			}
			s, err := Parse(caption)
			require.NoError(t, err)
			require.Equal(t, caption, s.Caption())
		}
	}
	s, err := Parse("an orange ball and a blue cone on a beach")
	require.NoError(t, err)
	require.Equal(t, [2]Object{{"orange", "ball"}, {"blue", "cone"}}, s.Objects)
	_, err = Parse("a dragon at night")
	require.ErrorContains(t, err, "dragon")
}

func FuzzTokens(f *testing.F) {
	f.Add("Is the horizon on the red line? Answer with Yes or No.")
	f.Add("a line\tdrawing  of a cup\n")
	f.Add("\xff\u2003!?")
	f.Fuzz(func(t *testing.T, text string) {
		for _, token := range Tokens(text) {
			require.NotEmpty(t, token)
			require.Equal(t, []string{token}, Tokens(token))
		}
	})
}
