package dualprocess

import (
	"image"
	"image/color"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/overlay"
)

// Questions about the same overlaid picture are asked together, whether or not
// their overlays have an ==.
func TestGroupByOverlay(t *testing.T) {
	picture := image.NewNRGBA(image.Rect(0, 0, 2, 2))
	palette := func(c color.Color) overlay.Solid {
		return overlay.Solid{Picture: overlay.Palette{Colors: []color.Color{c}}}
	}
	for name, test := range map[string]struct {
		overlays []Overlay
		want     [][]int
	}{
		"none":           {[]Overlay{nil, nil}, [][]int{{0, 1}}},
		"none and one":   {[]Overlay{nil, overlay.Solid{Picture: picture}, nil}, [][]int{{0, 2}, {1}}},
		"an image":       {[]Overlay{overlay.Solid{Picture: picture}, overlay.Solid{Picture: picture}}, [][]int{{0, 1}}},
		"ways to lay it": {[]Overlay{overlay.Solid{Picture: picture}, overlay.Transparent{Picture: picture}}, [][]int{{0}, {1}}},
		"drawn": {[]Overlay{
			overlay.Solid{Picture: overlay.HorizonLine{Row: 0.3}}, overlay.Solid{Picture: overlay.HorizonLine{Row: 0.3}},
			overlay.Solid{Picture: overlay.HorizonLine{Row: 0.4}},
		}, [][]int{{0, 1}, {2}}},
		"slices":  {[]Overlay{palette(color.Black), palette(color.White), palette(color.Black)}, [][]int{{0, 2}, {1}}},
		"stacked": {[]Overlay{overlay.Stack{palette(color.Black)}, overlay.Stack{palette(color.Black)}}, [][]int{{0, 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			var questions []Question
			for _, o := range test.overlays {
				questions = append(questions, Question{Overlay: o})
			}
			var got [][]int
			for _, group := range groupByOverlay(questions) {
				got = append(got, group.questions)
			}
			require.Equal(t, test.want, got)
		})
	}
}
