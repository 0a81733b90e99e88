package show

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/dualprocess/dualprocess-go/internal/scenes"
)

func TestGaugesOfDrawnScenes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, f := range scenes.Families() {
		s := scenes.New(rng, f, scenes.Narrow)
		picture, caption := s.Draw(64).Image(), s.Caption()
		assert.Equal(t, 1., Subject().Of(picture, caption), "%v: %s", f, caption)
		for name, gauge := range map[string]struct {
			of   Gauge
			f    scenes.Family
			want float64
			near float64
		}{
			"horizon": {Horizon(.3), scenes.Landscape, math.Abs(s.Horizon - .3), .02},
			"palette": {Palette(), scenes.Landscape, 0, .04},
			"stroke":  {Stroke(false), scenes.Drawing, s.Stroke, .4},
			"order":   {Order(true), scenes.Room, truth(s.Near[0] > s.Near[1]), 0},
			"gap":     {Gap(false), scenes.Room, s.Near[1] - s.Near[0], .15},
			"ice":     {Ice(), scenes.Lake, s.Amount, .1},
			"light":   {Light(), scenes.Lamp, s.Amount, .1},
		} {
			if gauge.f == f {
				assert.InDelta(t, gauge.want, gauge.of.Of(picture, caption), gauge.near, name)
			}
		}
	}
}

func TestGaugesThatCannotTell(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	room := scenes.New(rng, scenes.Room, scenes.Narrow)
	picture := room.Draw(64).Image()
	for _, g := range []Gauge{Ice(), Light(), Palette()} {
		assert.True(t, math.IsNaN(g.Of(picture, room.Caption())), g.Name)
	}
	for _, g := range []Gauge{Subject(), Order(true), Gap(true), Ice()} {
		assert.True(t, math.IsNaN(g.Of(picture, "no caption")), g.Name)
	}
	empty := scenes.NewPicture(64).Image()
	assert.True(t, math.IsNaN(Stroke(true).Of(empty, "")))
	assert.True(t, math.IsNaN(Horizon(.5).Of(empty, "")))
	assert.Zero(t, Order(true).Of(empty, room.Caption()))
	assert.True(t, math.IsNaN(Gap(true).Of(empty, room.Caption())))
}
