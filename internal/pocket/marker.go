package pocket

import (
	"image"

	"github.com/dualprocess/dualprocess-go/internal/scenes"
	"github.com/dualprocess/dualprocess-go/overlay"
)

// drawMark returns what lies over a picture when a question is asked, [64, 64,
// 4]: colour and cover, as overlay.Solid lays it.
func drawMark(m scenes.Mark) []float32 {
	out := make([]float32, pictureSize*pictureSize*4)
	var picture *image.NRGBA
	switch m.Kind {
	case scenes.NoMark:
		return out
	case scenes.LineMark:
		picture = overlay.HorizonLine{Row: m.Row}.Draw(pictureSize, pictureSize)
	case scenes.SampleMark:
		picture = overlay.LineSample{Width: m.Width}.Draw(pictureSize, pictureSize)
	case scenes.PointsMark:
		a, b := m.Points[0], m.Points[1]
		picture = overlay.Points{A: overlay.Point{X: a[0], Y: a[1]}, B: overlay.Point{X: b[0], Y: b[1]}, ColorB: scenes.PointB()}.Draw(pictureSize, pictureSize)
	}
	for i := range pictureSize * pictureSize {
		pixel := picture.Pix[4*i : 4*i+4]
		for c := range 3 {
			out[4*i+c] = float32(pixel[c]) / 255
		}
		if white := pixel[0] == 255 && pixel[1] == 255 && pixel[2] == 255; !white {
			out[4*i+3] = float32(pixel[3]) / 255
		}
	}
	return out
}
