package show

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
	"github.com/dualprocess/dualprocess-go/overlay"
)

// composed is the caption of a landscape with all that a composition has.
const composed = "a meadow by day with a tree and a field"

func TestGaugesOfDrawnScenes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, f := range world.Families() {
		s := world.NewScene(rng, f, world.Narrow)
		picture, caption := s.Draw(64).Image(), s.Caption()
		assert.Equal(t, 1., Subject().Of(picture, caption), "%v: %s", f, caption)
		for name, gauge := range map[string]struct {
			of   Gauge
			f    world.Family
			want float64
			near float64
		}{
			"horizon": {Horizon(.3), world.Landscape, math.Abs(s.Horizon - .3), .02},
			"palette": {Palette(), world.Landscape, 0, .04},
			"stroke":  {Stroke(false), world.Drawing, s.Stroke, .4},
			"order":   {Order(true), world.Room, truth(s.Near[0] > s.Near[1]), 0},
			"gap":     {Gap(false), world.Room, s.Near[1] - s.Near[0], .15},
			"ice":     {Ice(), world.Lake, s.Amount, .1},
			"light":   {Light(), world.Lamp, s.Amount, .1},
			"leaves":  {Leaves(), world.Tree, s.Amount, .1},
			"windows": {Windows(), world.House, s.Amount, .1},
		} {
			if gauge.f == f {
				assert.InDelta(t, gauge.want, gauge.of.Of(picture, caption), gauge.near, name)
			}
		}
	}
}

func TestGaugesThatCannotTell(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	room := world.NewScene(rng, world.Room, world.Narrow)
	picture := room.Draw(64).Image()
	box := overlay.Area{Min: overlay.Point{X: .1, Y: .6}, Max: overlay.Point{X: .5, Y: .8}}
	for _, g := range []Gauge{Ice(), Light(), Leaves(), Windows(), Palette(), Column(.5), Overlap(box), Composed(.5, .5, box)} {
		assert.True(t, math.IsNaN(g.Of(picture, room.Caption())), g.Name)
	}
	for _, g := range []Gauge{Subject(), Order(true), Gap(true), Ice(), Column(.5)} {
		assert.True(t, math.IsNaN(g.Of(picture, "no caption")), g.Name)
	}
	empty := world.NewPicture(64).Image()
	assert.True(t, math.IsNaN(Stroke(true).Of(empty, "")))
	assert.True(t, math.IsNaN(Horizon(.5).Of(empty, "")))
	assert.Zero(t, Order(true).Of(empty, room.Caption()))
	assert.True(t, math.IsNaN(Gap(true).Of(empty, room.Caption())))
	assert.True(t, math.IsNaN(Column(.5).Of(empty, composed)))
	assert.Zero(t, Overlap(box).Of(empty, composed))
	assert.Zero(t, Composed(.5, .5, box).Of(empty, composed))
}

// A drawn scene lies where it was drawn, and not elsewhere.
func TestComposition(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for range 8 {
		s := world.NewScene(rng, world.Landscape, world.Narrow)
		for s.Caption() != composed {
			s = world.NewScene(rng, world.Landscape, world.Narrow)
		}
		picture := s.Draw(64).Image()
		tree, _ := s.TreeX()
		f := s.Field
		box := overlay.Area{Min: overlay.Point{X: f.Left, Y: f.Top}, Max: overlay.Point{X: f.Right, Y: f.Bottom}}
		assert.InDelta(t, 0, Column(tree).Of(picture, composed), .02)
		assert.InDelta(t, .2, Column(tree+.2).Of(picture, composed), .02)
		assert.Greater(t, Overlap(box).Of(picture, composed), .8)
		assert.Equal(t, 1., Composed(s.Horizon, tree, box).Of(picture, composed))
		for _, elsewhere := range []Gauge{
			Composed(s.Horizon+.1, tree, box), Composed(s.Horizon, tree-.1, box),
			Composed(s.Horizon, tree, overlay.Area{Max: overlay.Point{X: .3, Y: .3}}),
		} {
			assert.Zero(t, elsewhere.Of(picture, composed))
		}
	}
}

func TestPalettes(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for _, f := range world.Families() {
		s := world.NewScene(rng, f, world.Narrow)
		before := s.Draw(64).Image()
		s.Palette, s.Grade = "retro", 1
		after := s.Draw(64).Image()
		assert.Less(t, PaletteDistance("retro").Of(after, ""), 12.)
		assert.Greater(t, PaletteDistance("retro").Of(before, ""), 15.)
		assert.Equal(t, 1., NearestPalette("retro").Of(after, ""))
		assert.Zero(t, NearestPalette("pastel").Of(after, ""))
		assert.InDelta(t, 1, Structure().OfPair(before, before, ""), 1e-9)
		assert.Greater(t, Structure().OfPair(before, after, ""), .7)
		assert.Equal(t, 1., StructureKept().OfPair(before, after, ""))
		assert.Zero(t, StructureKept().OfPair(before, world.NewPicture(64).Image(), ""))
	}
}
