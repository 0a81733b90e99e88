package show

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
)

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
	for _, g := range []Gauge{Ice(), Light(), Palette()} {
		assert.True(t, math.IsNaN(g.Of(picture, room.Caption())), g.Name)
	}
	for _, g := range []Gauge{Subject(), Order(true), Gap(true), Ice()} {
		assert.True(t, math.IsNaN(g.Of(picture, "no caption")), g.Name)
	}
	empty := world.NewPicture(64).Image()
	assert.True(t, math.IsNaN(Stroke(true).Of(empty, "")))
	assert.True(t, math.IsNaN(Horizon(.5).Of(empty, "")))
	assert.Zero(t, Order(true).Of(empty, room.Caption()))
	assert.True(t, math.IsNaN(Gap(true).Of(empty, room.Caption())))
}
