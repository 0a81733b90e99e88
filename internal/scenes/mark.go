package scenes

import (
	"image"
	"image/color"

	"github.com/dualprocess/dualprocess-go/overlay"
)

// MarkKind says what is laid over a picture when a question is asked.
type MarkKind int

// The kinds of marks.
const (
	NoMark     MarkKind = iota
	LineMark            // a horizontal line
	PointsMark          // points A and B
	SampleMark          // a sample of a stroke
)

// Mark is the overlay that belongs to a question.
type Mark struct {
	Kind   MarkKind
	Row    float64       // line: row in [0,1]
	Width  float64       // sample: width in pixels of a 64 pixel picture
	Points [2][2]float64 // points A and B: column and row in [0,1]
}

// PointB is the colour of point B; A's is overlay's own red. The letters alone
// are too small to be told apart in 64 pixels.
func PointB() color.Color { return color.NRGBA{R: 30, G: 60, B: 220, A: 255} }

// Draw draws the mark on white, which package overlay takes for transparent, size
// pixels a side; nil without a mark.
func (m Mark) Draw(size int) *image.NRGBA {
	var mark overlay.Drawer
	switch m.Kind {
	case LineMark:
		mark = overlay.HorizonLine{Row: m.Row}
	case SampleMark:
		mark = overlay.LineSample{Width: m.Width}
	case PointsMark:
		a, b := m.Points[0], m.Points[1]
		mark = overlay.Points{A: overlay.Point{X: a[0], Y: a[1]}, B: overlay.Point{X: b[0], Y: b[1]}, ColorB: PointB()}
	default:
		return nil
	}
	picture, err := mark.Draw(size, size)
	if err != nil {
		panic(err) // all marks lie inside the picture
	}
	return picture
}
