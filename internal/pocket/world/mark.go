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
	NoMark          MarkKind = iota
	LineMark                 // a horizontal line
	PointsMark               // points A and B
	SampleMark               // a sample of a stroke
	PaletteMark              // a strip of colours at the bottom
	CompositionMark          // a horizontal line, a vertical line and a box
)

// Marks lists all kinds of marks in their order.
func Marks() []MarkKind {
	return []MarkKind{LineMark, PointsMark, SampleMark, PaletteMark, CompositionMark}
}

// Mark is the overlay that belongs to a question.
type Mark struct {
	Kind    MarkKind
	Row     float64       // line, composition: row of the horizontal line in [0, 1]
	Width   float64       // sample: width in pixels of a 64 pixel picture
	Points  [2][2]float64 // points A and B: column and row in [0, 1]
	Palette string        // palette: its name, one of PaletteNames
	Column  float64       // composition: column of the vertical line in [0, 1]
	Box     Box           // composition
}

// swappedShare of the random pairs of points have A on the right.
const swappedShare = .10

// RandomMark places a mark, near the scene's own value about half of the time.
func RandomMark(rng *rand.Rand, kind MarkKind, s Scene) Mark {
	m := Mark{Kind: kind}
	switch kind {
	case LineMark:
		m.Row = nearRow(rng, s)
	case PaletteMark:
		m.Palette = pick(rng, PaletteNames)
		if s.Palette != "" && rng.IntN(2) > 0 {
			m.Palette = s.Palette
		}
	case CompositionMark:
		m.compose(rng, s)
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

// nearRow returns a row, near the horizon of a landscape half of the time.
func nearRow(rng *rand.Rand, s Scene) float64 {
	if s.Family == Landscape && rng.IntN(2) == 0 {
		return gaussian(rng, s.Horizon, .08, .06, .94)
	}
	return uniform(rng, .06, .94)
}

// compose places the parts of a composition, each near the scene's own by itself.
func (m *Mark) compose(rng *rand.Rand, s Scene) {
	m.Row = nearRow(rng, s)
	m.Column = uniform(rng, .12, .88)
	if x, ok := s.TreeX(); ok && rng.IntN(2) == 0 {
		m.Column = gaussian(rng, x, .08, .08, .92)
	}
	left, top := uniform(rng, .05, .55), uniform(rng, .35, .72)
	m.Box = Box{left, top, left + uniform(rng, .25, .45), top + uniform(rng, .14, .28)}
	if s.hasField() && rng.IntN(2) == 0 {
		f := s.Field
		near := func(v float64) float64 { return gaussian(rng, v, .05, .03, .97) }
		m.Box = Box{near(f.Left), near(f.Top), near(f.Right), near(f.Bottom)}
		m.Box.Right, m.Box.Bottom = math.Max(m.Box.Right, m.Box.Left+.12), math.Max(m.Box.Bottom, m.Box.Top+.08)
	}
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

// Colours of marks: blue is that of point B, too; A's is overlay's own red. The
// letters alone are too small to be told apart in 64 pixels.
var (
	blue = color.NRGBA{R: 30, G: 60, B: 220, A: 255}
	red  = color.NRGBA{R: 230, A: 255}
)

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
		mark = overlay.Points{A: overlay.Point{X: a[0], Y: a[1]}, B: overlay.Point{X: b[0], Y: b[1]}, ColorB: blue}
	case PaletteMark:
		mark = overlay.Palette{Colors: paletteInks[m.Palette]}
	case CompositionMark:
		mark = m.composition()
	default:
		return nil
	}
	picture, err := mark.Draw(size, size)
	if err != nil {
		panic(err) // all marks lie inside the picture
	}
	return picture
}

// composition is a sketch without notes, which could not be read in 64 pixels.
func (m Mark) composition() overlay.Composition {
	const width = 1.5
	return overlay.Composition{
		Areas: []overlay.Area{{Min: overlay.Point{X: m.Box.Left, Y: m.Box.Top}, Max: overlay.Point{X: m.Box.Right, Y: m.Box.Bottom}}},
		Lines: []overlay.Line{
			{From: overlay.Point{Y: m.Row}, To: overlay.Point{X: 1, Y: m.Row}, Width: width, Color: red},
			{From: overlay.Point{X: m.Column}, To: overlay.Point{X: m.Column, Y: 1}, Width: width, Color: blue},
		},
	}
}
