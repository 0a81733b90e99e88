package measuring

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
)

var spreads = []struct {
	name string
	w    world.Spread
}{{"narrow", world.Narrow}, {"broad", world.Broad}}

// landscapes draws scenes in which there is a thing, in their own colours.
func landscapes(rng *rand.Rand, w world.Spread, thing string, count int) []world.Scene {
	var all []world.Scene
	for len(all) < count {
		s := world.NewScene(rng, world.Landscape, w)
		if s.Grade = 0; slices.Contains(s.Things(), thing) {
			all = append(all, s)
		}
	}
	return all
}

func TestTreeColumn(t *testing.T) {
	const count = 60
	for _, spread := range spreads {
		for _, c := range spoils {
			rng := rand.New(rand.NewPCG(3, 3))
			near := 0
			for _, s := range landscapes(rng, spread.w, "tree", count) {
				at, _ := s.TreeX()
				if x, ok := TreeColumn(c.spoil(rng, s.Draw(64)), s); ok && math.Abs(x-at) <= .03 {
					near++
				}
			}
			t.Logf("%s %s: %d of %d within .03", spread.name, c.name, near, count)
			require.GreaterOrEqual(t, near, count*95/100, "%s %s", spread.name, c.name)
		}
	}
}

func TestFieldBox(t *testing.T) {
	const count = 60
	for _, spread := range spreads {
		for _, c := range spoils {
			rng := rand.New(rand.NewPCG(4, 4))
			var overlaps []float64
			for _, s := range landscapes(rng, spread.w, world.Field, count) {
				box, _ := FieldBox(c.spoil(rng, s.Draw(64)), s)
				overlaps = append(overlaps, box.Overlap(s.Field))
			}
			t.Logf("%s %s: overlap %.2f on average, p5 %.2f", spread.name, c.name, mean(overlaps), quantile(overlaps, .05))
			require.GreaterOrEqual(t, mean(overlaps), .80, "%s %s", spread.name, c.name)
		}
	}
}

// TestNothingIsFound: suns, moons, houses, mountains and clouds are hardly ever taken for
// trees or fields.
func TestNothingIsFound(t *testing.T) {
	const count = 300
	rng := rand.New(rand.NewPCG(5, 5))
	trees, fields := 0, 0
	for range count {
		s := world.NewScene(rng, world.Landscape, world.Narrow)
		p := s.Draw(64)
		if _, ok := TreeColumn(p, s); ok && !slices.Contains(s.Things(), "tree") {
			trees++
		}
		if _, ok := FieldBox(p, s); ok && !slices.Contains(s.Things(), world.Field) {
			fields++
		}
	}
	t.Logf("of %d: %d trees and %d fields that are none", count, trees, fields)
	require.LessOrEqual(t, trees, count*8/100)
	require.LessOrEqual(t, fields, count*5/100)
	_, ok := TreeColumn(world.NewPicture(64), world.Scene{Place: "sea", Time: "day"})
	require.False(t, ok)
	_, ok = FieldBox(world.NewPicture(64), world.Scene{Place: "sea", Time: "day"})
	require.False(t, ok)
}

func TestFieldsAreNoWrongColours(t *testing.T) {
	const count = 60
	rng := rand.New(rand.NewPCG(6, 6))
	there := 0
	for _, s := range landscapes(rng, world.Broad, world.Field, count) {
		if SubjectThere(s.Draw(64), s) {
			there++
		}
	}
	require.GreaterOrEqual(t, there, count*95/100)
}
