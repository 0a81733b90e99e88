package measuring

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
	"github.com/dualprocess/dualprocess-go/internal/pocket/worldtest"
)

// spoils are the ways in which pictures that are measured differ from drawn
// ones: soft like a decoder's, blurred, noisy, off colour.
var spoils = []struct {
	name  string
	spoil func(*rand.Rand, *world.Picture) *world.Picture
}{
	{"clean", func(_ *rand.Rand, p *world.Picture) *world.Picture { return p }},
	{"soft", func(_ *rand.Rand, p *world.Picture) *world.Picture { return average(p, worldtest.Blurred(p)) }},
	{"blurred", func(_ *rand.Rand, p *world.Picture) *world.Picture { return worldtest.Blurred(p) }},
	{"noisy", func(rng *rand.Rand, p *world.Picture) *world.Picture { return worldtest.Noisy(rng, p, .05) }},
	{"off colour", offColour},
	{"blurred and noisy", func(rng *rand.Rand, p *world.Picture) *world.Picture {
		return worldtest.Noisy(rng, worldtest.Blurred(p), .05)
	}},
}

func average(a, b *world.Picture) *world.Picture {
	out := a.Clone()
	for i, v := range b.Pix {
		out.Pix[i] = (out.Pix[i] + v) / 2
	}
	return out
}

// offColour gives every channel a gain and an offset with a spread of .05.
func offColour(rng *rand.Rand, p *world.Picture) *world.Picture {
	out := p.Clone()
	for c := 0; c < 3; c++ {
		gain, offset := 1+.05*rng.NormFloat64(), .05*rng.NormFloat64()
		for i := c; i < len(out.Pix); i += 3 {
			out.Pix[i] = float32(world.Clamp(gain*float64(out.Pix[i]) + offset))
		}
	}
	return out
}

// errorsOf measures scenes of a family and returns the sorted errors.
func errorsOf(f world.Family, w world.Spread, count int, spoil func(*rand.Rand, *world.Picture) *world.Picture, off func(world.Scene, *world.Picture) float64) []float64 {
	rng := rand.New(rand.NewPCG(11, uint64(f)))
	var errors []float64
	for i := 0; i < count; i++ {
		s := world.NewScene(rng, f, w)
		s.Grade = 0 // what is measured is known by its colours
		errors = append(errors, off(s, spoil(rng, s.Draw(64))))
	}
	quantile(errors, 0)
	return errors
}

func TestHorizon(t *testing.T) {
	for _, c := range spoils {
		errors := errorsOf(world.Landscape, world.Broad, 100, c.spoil, func(s world.Scene, p *world.Picture) float64 {
			row, _ := Horizon(p)
			return math.Abs(row - s.Horizon)
		})
		t.Logf("%s: median %.4f, p90 %.4f, p97 %.4f", c.name, quantile(errors, .5), quantile(errors, .9), quantile(errors, .97))
		require.LessOrEqual(t, quantile(errors, .5), .008, c.name)
		require.LessOrEqual(t, quantile(errors, .9), .03, c.name)
	}
}

func TestHorizonDoubtsWithoutOne(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	var with, without []float64
	for i := 0; i < 100; i++ {
		s := world.NewScene(rng, world.Landscape, world.Narrow)
		_, sure := Horizon(worldtest.Noisy(rng, s.Draw(64), .03))
		with = append(with, sure)
		s.Gone, s.Fade = world.Subject, 1
		_, sure = Horizon(worldtest.Noisy(rng, s.Draw(64), .03))
		without = append(without, sure)
	}
	t.Logf("confidence with a horizon: p5 %.2f, median %.2f; without: median %.2f, p95 %.2f",
		quantile(with, .05), quantile(with, .5), quantile(without, .5), quantile(without, .95))
	require.Greater(t, quantile(with, .05), quantile(without, .90))
	require.Less(t, quantile(without, .5), .1)
}

func TestPaletteError(t *testing.T) {
	errors := errorsOf(world.Landscape, world.Narrow, 100, spoils[0].spoil, func(s world.Scene, p *world.Picture) float64 { return PaletteError(p, s) })
	t.Logf("palette error of drawn scenes: median %.4f, p90 %.4f", quantile(errors, .5), quantile(errors, .9))
	require.Less(t, quantile(errors, .5), .025)
	wrong := errorsOf(world.Landscape, world.Narrow, 100, spoils[0].spoil, func(s world.Scene, p *world.Picture) float64 {
		s.Time = map[string]string{"day": "night", "night": "sunset", "sunset": "day"}[s.Time]
		return PaletteError(p, s)
	})
	require.Greater(t, quantile(wrong, .05), .08)
}

func TestStroke(t *testing.T) {
	for _, c := range spoils {
		for _, width := range []float64{1.3, 1.65, 2.2, 3.5, 5} {
			ratios := errorsOf(world.Drawing, world.Narrow, 24, c.spoil, func(s world.Scene, _ *world.Picture) float64 {
				rng := rand.New(rand.NewPCG(s.Seed, 3))
				s.Stroke = width
				return StrokeWidth(c.spoil(rng, s.Draw(64))) / width
			})
			t.Logf("%s %.2f px: measured/true p10 %.2f, median %.2f, p90 %.2f", c.name, width,
				quantile(ratios, .1), quantile(ratios, .5), quantile(ratios, .9))
			require.InDelta(t, 1, quantile(ratios, .5), strokeTolerance(c.name, width), "%s %g", c.name, width)
			require.Greater(t, quantile(ratios, .1), .80, "%s %g: a thin stroke must be no illusion", c.name, width)
		}
	}
	blank := world.Scene{Family: world.Drawing, Thing: "fish", Ink: "red", Stroke: 2, Size: 1, Gone: world.Subject, Fade: 1}
	require.Zero(t, StrokeWidth(blank.Draw(64)))
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

func TestNearness(t *testing.T) {
	for _, c := range spoils {
		right, clear := 0, 0
		errors := errorsOf(world.Room, world.Broad, 80, c.spoil, func(s world.Scene, p *world.Picture) float64 {
			near, _ := Nearness(p, s.Objects)
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

func TestAmount(t *testing.T) {
	for _, f := range []world.Family{world.Lake, world.Lamp, world.Tree, world.House} {
		for _, c := range spoils {
			errors := errorsOf(f, world.Broad, 80, c.spoil, func(s world.Scene, p *world.Picture) float64 {
				return math.Abs(Amount(p, f) - s.Amount)
			})
			t.Logf("%v %s: median %.3f, p90 %.3f", f, c.name, quantile(errors, .5), quantile(errors, .9))
			require.LessOrEqual(t, quantile(errors, .5), .08, c.name)
			require.LessOrEqual(t, quantile(errors, .9), .20, c.name)
		}
	}
	require.True(t, math.IsNaN(Amount(world.NewPicture(64), world.Room)))
}

// TestAmountRises: from about 0 to about 1, all the way.
func TestAmountRises(t *testing.T) {
	const count, steps = 15, 4
	for _, f := range []world.Family{world.Lake, world.Lamp, world.Tree, world.House} {
		for _, c := range spoils {
			rng := rand.New(rand.NewPCG(31, uint64(f)))
			var none, all []float64
			rising := 0
			for range count {
				s := world.NewScene(rng, f, world.Narrow)
				last := math.Inf(-1)
				for k := 0; k <= steps; k++ {
					s.Amount = float64(k) / steps
					got := Amount(c.spoil(rng, s.Draw(64)), f)
					if got > last {
						rising++
					}
					switch last = got; k {
					case 0:
						none = append(none, math.Abs(got))
					case steps:
						all = append(all, math.Abs(got-1))
					}
				}
			}
			t.Logf("%v %s: none is off by %.3f (p90 %.3f), all by %.3f (p90 %.3f); rising %d of %d", f, c.name,
				quantile(none, .5), quantile(none, .9), quantile(all, .5), quantile(all, .9), rising, count*(steps+1))
			require.LessOrEqual(t, math.Max(quantile(none, .5), quantile(all, .5)), .10, "%v %s", f, c.name)
			require.GreaterOrEqual(t, rising, count*(steps+1)*97/100, "%v %s", f, c.name)
		}
	}
}

func TestSubjectThere(t *testing.T) {
	const count = 20
	for _, c := range spoils {
		for _, f := range world.Families() {
			rng := rand.New(rand.NewPCG(21, uint64(f)))
			there, gone := 0, 0
			for i := 0; i < count; i++ {
				s := world.NewScene(rng, f, world.Narrow)
				caption, err := world.Parse(s.Caption())
				require.NoError(t, err)
				if SubjectThere(c.spoil(rng, s.Draw(64)), caption) {
					there++
				}
				s.Gone, s.Fade = world.Subject, 1
				if f == world.Room {
					s.Gone = world.LeftObject
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
	good := func(change func(s *world.Scene)) int {
		rng := rand.New(rand.NewPCG(3, 4))
		n := 0
		for range count {
			s := world.NewScene(rng, world.Drawing, world.Narrow)
			change(&s)
			if p := s.Draw(64); Thing(average(p, worldtest.Blurred(p))).Good(s.Thing) {
				n++
			}
		}
		return n
	}
	require.Equal(t, count, good(func(s *world.Scene) { s.Stroke = .8 }))
	require.GreaterOrEqual(t, good(func(s *world.Scene) { s.Stroke, s.Wash = 1.3, .75 }), count*95/100, "a quarter of the ink of a stretch is there")
	require.LessOrEqual(t, good(func(s *world.Scene) { s.Stroke, s.Gaps = 1.3, .5 }), count*15/100)
}

func TestLargerPictures(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	s := world.NewScene(rng, world.Landscape, world.Narrow)
	row, _ := Horizon(s.Draw(160))
	require.InDelta(t, s.Horizon, row, .02)
	s = world.NewScene(rng, world.Drawing, world.Narrow)
	require.InEpsilon(t, s.Stroke, StrokeWidth(s.Draw(128)), .2)
}
