package overlay

import (
	"image"
	"image/color"
	"math"
	"strings"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// smallestText is the size in pixels of text below which letters blur into
// spots; text never gets smaller, whatever the picture.
const smallestText = 9

// typeface parses the embedded font at first use. It is never written to again.
var typeface = sync.OnceValue(func() *opentype.Font {
	f, err := opentype.Parse(gobold.TTF)
	if err != nil {
		panic("overlay: the embedded font does not parse: " + err.Error())
	}
	return f
})

// lettering is text of one size.
type lettering struct {
	face   font.Face
	ascent float64 // of a capital letter, in pixels
	pitch  float64 // from line to line, in pixels
	halo   float64 // width in pixels of the light rim that sets text off from any image
}

// newLettering makes text whose size is the given number of pixels, or the
// smallest legible.
func newLettering(size float64) lettering {
	size = max(size, smallestText)
	face, err := opentype.NewFace(typeface(), &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		panic("overlay: " + err.Error()) // its only cause, a nil font, is excluded
	}
	m := face.Metrics()
	return lettering{face, float64(m.CapHeight) / 64, float64(m.Height) / 64, max(1, size/10)}
}

// width returns the width of a line of text in pixels, without its halo.
func (l lettering) width(text string) float64 {
	return float64(font.MeasureString(l.face, text)) / 64
}

// write draws one line of text with a halo. left and top, in pixels, are the
// corner of its first capital letter.
func (c canvas) write(l lettering, text string, left, top float64, ink color.Color) {
	// Whole pixels keep the stems of small letters sharp.
	x, y := math.Round(left), math.Round(top+l.ascent)
	rim := image.NewUniform(paper)
	for _, d := range around(l.halo) {
		c.print(l, text, x+d.X, y+d.Y, rim)
	}
	c.print(l, text, x, y, image.NewUniform(visible(ink)))
}

func (c canvas) print(l lettering, text string, x, y float64, ink image.Image) {
	d := font.Drawer{Dst: c.RGBA, Src: ink, Face: l.face,
		Dot: fixed.Point26_6{X: fixed.Int26_6(x * 64), Y: fixed.Int26_6(y * 64)}}
	d.DrawString(text)
}

// around returns offsets on a circle, close enough together for a smooth rim.
func around(radius float64) []Point {
	n := 8 * int(math.Ceil(radius/3))
	ring := make([]Point, n)
	for i := range ring {
		a := 2 * math.Pi * float64(i) / float64(n)
		ring[i] = Point{radius * math.Cos(a), radius * math.Sin(a)}
	}
	return ring
}

// block is text broken into lines.
type block struct {
	lettering
	lines         []string
	width, height float64 // in pixels, without the halo
}

// newBlock breaks text between words so that no line is wider than width in
// pixels, unless a single word is.
func newBlock(l lettering, text string, width float64) block {
	b := block{lettering: l}
	line := ""
	for _, word := range strings.Fields(text) {
		longer := strings.TrimSpace(line + " " + word)
		if line != "" && l.width(longer) > width {
			b.lines = append(b.lines, line)
			longer = word
		}
		line = longer
	}
	b.lines = append(b.lines, line)
	for _, line := range b.lines {
		b.width = max(b.width, l.width(line))
	}
	b.height = float64(len(b.lines)-1)*l.pitch + l.ascent
	return b
}

// writeBlock writes a block in red; left and top are the corner of its first
// capital letter.
func (c canvas) writeBlock(b block, left, top float64) {
	for i, line := range b.lines {
		c.write(b.lettering, line, left, top+float64(i)*b.pitch, red)
	}
}
