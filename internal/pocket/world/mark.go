package world

import (
	"image"
	"image/color"
	"math"
	"math/rand/v2"

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
	Row    float64       // line: row in [0, 1]
	Width  float64       // sample: width in pixels of a 64 pixel picture
	Points [2][2]float64 // points A and B: column and row in [0, 1]
}

// swappedShare of the random pairs of points have A on the right.
const swappedShare = .10

// RandomMark places a mark, near the scene's own value about half of the time.
func RandomMark(rng *rand.Rand, kind MarkKind, s Scene) Mark {
	m := Mark{Kind: kind}
	switch kind {
	case LineMark:
		m.Row = uniform(rng, .06, .94)
		if s.Family == Landscape && rng.IntN(2) == 0 {
			m.Row = gaussian(rng, s.Horizon, .08, .06, .94)
		}
	case SampleMark:
		m.Width = math.Exp(uniform(rng, math.Log(StrokeThinnest), math.Log(StrokeWidest)))
		if s.Family == Drawing && rng.IntN(2) == 0 {
			m.Width = math.Max(StrokeThinnest, math.Min(StrokeWidest, s.Stroke*math.Exp(.15*rng.NormFloat64())))
		}
	case PointsMark:
		for i, x := range []float64{leftX, rightX} {
			m.Points[i] = [2]float64{x + .05*symmetric(rng), uniform(rng, .20, .85)}
		}
		if rng.Float64() < swappedShare {
			m.Points[0], m.Points[1] = m.Points[1], m.Points[0]
		}
	}
	return m
}

// Layer draws the mark as overlay.Solid lays it over a picture of size x size
// pixels, [size, size, 4]: the colour and how much of the pixel it covers.
func (m Mark) Layer(size int) []float32 {
	layer := make([]float32, 4*size*size)
	drawn := m.draw(size)
	if drawn == nil {
		return layer
	}
	for i := 0; i < len(layer); i += 4 {
		for c := range 3 {
			layer[i+c] = float32(drawn.Pix[i+c]) / 255
		}
		if white := drawn.Pix[i] == 255 && drawn.Pix[i+1] == 255 && drawn.Pix[i+2] == 255; !white {
			layer[i+3] = float32(drawn.Pix[i+3]) / 255
		}
	}
	return layer
}

// Over returns the picture with the mark laid over it.
func (m Mark) Over(p *Picture) *Picture {
	out, layer := p.Clone(), m.Layer(p.Size)
	for i := range p.Size * p.Size {
		cover := layer[4*i+3]
		for c := range 3 {
			out.Pix[3*i+c] += (layer[4*i+c] - out.Pix[3*i+c]) * cover
		}
	}
	return out
}

// pointB is the colour of point B; A's is overlay's own red. The letters alone are
// too small to be told apart in 64 pixels.
var pointB = color.NRGBA{R: 30, G: 60, B: 220, A: 255}

// draw draws the mark on white, which package overlay takes for transparent; nil
// without a mark.
func (m Mark) draw(size int) *image.NRGBA {
	var mark overlay.Drawer
	switch m.Kind {
	case LineMark:
		mark = overlay.HorizonLine{Row: m.Row}
	case SampleMark:
		mark = overlay.LineSample{Width: m.Width}
	case PointsMark:
		a, b := m.Points[0], m.Points[1]
		mark = overlay.Points{A: overlay.Point{X: a[0], Y: a[1]}, B: overlay.Point{X: b[0], Y: b[1]}, ColorB: pointB}
	default:
		return nil
	}
	picture, err := mark.Draw(size, size)
	if err != nil {
		panic(err) // all marks lie inside the picture
	}
	return picture
}
