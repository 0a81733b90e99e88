package measuring

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
	"github.com/dualprocess/dualprocess-go/internal/pocket/worldtest"
)

// graded returns a scene in the colours of a palette.
func graded(s world.Scene, palette string) world.Scene {
	s.Palette, s.Grade = palette, 1
	return s
}

func TestPaletteDistance(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 7))
	for _, f := range world.Families() {
		for _, name := range world.PaletteNames {
			var own, other, plain []float64
			for range 12 {
				s := world.NewScene(rng, f, world.Narrow)
				p := graded(s, name).Draw(64)
				own, plain = append(own, PaletteDistance(p, name)), append(plain, PaletteDistance(s.Draw(64), name))
				for _, rival := range world.PaletteNames {
					if rival != name {
						other = append(other, PaletteDistance(p, rival))
					}
				}
			}
			t.Logf("%v in %s: %.1f away, %.1f from the other palettes, %.1f in its own colours", f, name, mean(own), mean(other), mean(plain))
			require.Less(t, quantile(own, 1), 12.)
			require.Greater(t, quantile(other, 0), quantile(own, 1))
			require.Greater(t, mean(plain), 15.)
		}
	}
	require.True(t, math.IsNaN(PaletteDistance(world.NewPicture(64), "neon")))
}

// TestStructure: it stays when all colours become those of a palette, and is lost in
// other scenes, with the ground or the drawing, and in flat pictures.
func TestStructure(t *testing.T) {
	const count = 12
	for _, f := range world.Families() {
		rng := rand.New(rand.NewPCG(2, uint64(f)))
		var coloured, shifted, foreign []float64
		for range count {
			s := world.NewScene(rng, f, world.Narrow)
			p := s.Draw(64)
			require.InDelta(t, 1, Structure(p, p), 1e-9)
			require.Zero(t, Structure(p, world.NewPicture(64)))
			for _, name := range world.PaletteNames {
				coloured = append(coloured, Structure(p, graded(s, name).Draw(64)))
			}
			shifted = append(shifted, Structure(p, moved(p)), Structure(p, worldtest.Blurred(p)))
			other := world.NewScene(rng, (f+1+world.Family(rng.IntN(len(world.Families())-1)))%7, world.Narrow)
			foreign = append(foreign, Structure(p, other.Draw(64)))
		}
		t.Logf("%v: in a palette's colours %.2f on average, p3 %.2f; moved or blurred p5 %.2f; other scenes %.2f on average, p90 %.2f",
			f, mean(coloured), quantile(coloured, .03), quantile(shifted, .05), mean(foreign), quantile(foreign, .9))
		require.Greater(t, mean(coloured), .8, f)
		require.Greater(t, quantile(coloured, .03), StructureKept, f)
		require.Greater(t, quantile(shifted, .05), .75, f)
		require.Less(t, quantile(foreign, .9), .4, f)
	}
}

// moved moves a picture by a pixel.
func moved(p *world.Picture) *world.Picture {
	out := p.Clone()
	for i := range p.Size * p.Size {
		out.Set(i%p.Size, i/p.Size, p.At(min(p.Size-1, i%p.Size+1), i/p.Size))
	}
	return out
}
