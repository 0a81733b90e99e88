package overlay

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// drawn is a picture that can be drawn.
func drawn(t testing.TB, d Drawer, width, height int) *image.NRGBA {
	t.Helper()
	picture, err := d.Draw(width, height)
	require.NoError(t, err)
	return picture
}

func sketch() Composition {
	return Composition{
		Areas: []Area{{Min: Point{0, 0.55}, Max: Point{0.6, 1}, Color: color.NRGBA{235, 190, 40, 255}, Note: "a field"}},
		Lines: []Line{
			{From: Point{0, 0.55}, To: Point{1, 0.55}, Note: "the horizon"},
			{From: Point{0.62, 0}, To: Point{0.62, 0.8}, Width: 2, Note: "a tree"},
		},
	}
}

func TestMakersDrawOnTransparentWhite(t *testing.T) {
	makers := []Drawer{HorizonLine{}, LineSample{}, Points{}, Palette{}, Palette{Side: Left}, sketch()}
	sizes := []image.Point{{16, 16}, {17, 31}, {64, 64}, {96, 48}, {200, 333}}
	for _, m := range makers {
		for _, size := range sizes {
			t.Run(fmt.Sprintf("%T %v", m, size), func(t *testing.T) {
				picture := drawn(t, m, size.X, size.Y)
				require.Equal(t, image.Rectangle{Max: size}, picture.Rect)
				assert.Equal(t, picture.Pix, drawn(t, m, size.X, size.Y).Pix, "the same every time")
				clear := 0
				for i := 0; i < len(picture.Pix); i += 4 {
					switch p := [4]uint8(picture.Pix[i : i+4]); {
					case p == [4]uint8{255, 255, 255, 0}:
						clear++
					case p[3] == 0:
						t.Fatalf("pixel %d is transparent, but not white: %v", i/4, p)
					case p[3] > 32 && p[0] == 255 && p[1] == 255 && p[2] == 255:
						t.Fatalf("pixel %d is ink that Solid takes for nothing", i/4)
					}
				}
				pixels := size.X * size.Y
				assert.Greater(t, clear, pixels/4, "most of the image must be seen")
				assert.Less(t, clear, pixels, "something is drawn")
			})
		}
	}
}

// No field and no size, however wild, does more than give an error.
func TestMakersBearAnything(t *testing.T) {
	wild := []float64{0, -1, 2, 1e9, -1e300, math.Inf(1), math.Inf(-1), math.NaN()}
	for _, size := range []image.Point{{0, 0}, {-3, 5}, {1, 1}, {3, 40}, {32, 32}} {
		for _, a := range wild {
			for _, b := range wild {
				for _, m := range []Drawer{
					HorizonLine{Row: a, Width: b}, LineSample{Width: a}, Palette{Size: a}, Palette{Colors: []color.Color{}},
					Palette{Size: a, Side: Left}, Points{A: Point{a, b}, B: Point{b, a}, Radius: 1}, Points{A: Point{0.5, a}, Radius: b},
					Composition{Lines: []Line{{From: Point{a, 0}, To: Point{b, 1}, Width: a, Note: "line"}}},
					Composition{Areas: []Area{{Min: Point{a, a}, Max: Point{b, 1}, Note: "area"}, {Min: Point{1, 1}, Note: "area"}}},
				} {
					picture, err := m.Draw(size.X, size.Y)
					if err == nil {
						assert.Equal(t, size, picture.Rect.Size(), "%+v", m)
					} else {
						assert.Nil(t, picture, "%+v", m)
					}
				}
			}
		}
	}
}

// inkRow returns the mean row of the ink in pixels, and its amount per column.
func inkRow(picture *image.NRGBA) (row, height float64) {
	sum := 0.
	for y := range picture.Rect.Dy() {
		for x := range picture.Rect.Dx() {
			a := float64(picture.NRGBAAt(x, y).A) / 255
			row += a * (float64(y) + 0.5)
			sum += a
		}
	}
	return row / sum, sum / float64(picture.Rect.Dx())
}

func TestHorizonLine(t *testing.T) {
	for _, size := range []int{16, 64, 100, 512} {
		for _, row := range []float64{0.1, 0.3, 0.5, 0.77} {
			got, height := inkRow(drawn(t, HorizonLine{Row: row}, size, size))
			assert.InDelta(t, row*float64(size), got, 0.3, "%d: the line's middle, but for the pixels' own size", size)
			assert.InDelta(t, 1.5*float64(size)/64*dash/(dash+gap), height, 0.1*float64(size)/64, "%d: thickness times share of dashes", size)
		}
	}
	middle, _ := inkRow(drawn(t, HorizonLine{}, 64, 64))
	assert.InDelta(t, 32, middle, 0.02)
}

func TestLineSample(t *testing.T) {
	for _, size := range []int{32, 64, 256} {
		for _, width := range []float64{0.9, 2, 3.3, 9} {
			row, height := inkRow(drawn(t, LineSample{Width: width}, size, size))
			unit := float64(size) / 64
			assert.InDelta(t, 0.7*width*unit, height, 0.01*unit+0.01, "as thick as asked, over 70 %% of the width")
			assert.InDelta(t, float64(size)-(3+width/2)*unit, row, 0.3, "at the bottom")
		}
	}
}

func TestPoints(t *testing.T) {
	blue := color.NRGBA{B: 255, A: 255}
	p := Points{A: Point{0.25, 0.5}, B: Point{0.75, 0.75}, ColorB: blue, NoLabels: true}
	for _, size := range []int{64, 100, 512} {
		picture := drawn(t, p, size, size)
		assert.Equal(t, red, picture.NRGBAAt(size/4, size/2))
		assert.Equal(t, blue, picture.NRGBAAt(size*3/4, size*3/4))
	}
	small := drawn(t, p, 16, 16).NRGBAAt(4, 8)
	assert.True(t, small.A == 255 && small.R > small.G+40, "red at 16 pixels, too: %v", small)
	plain, labelled := drawn(t, p, 64, 64), drawn(t, Points{A: p.A, B: p.B, ColorB: blue}, 64, 64)
	assert.NotEqual(t, plain.Pix, labelled.Pix)
	assert.Equal(t, blue, labelled.NRGBAAt(48, 48), "no label covers a dot")
	assert.Equal(t, paper, drawn(t, Points{A: p.A, B: p.B, Radius: 4}, 512, 512).NRGBAAt(128, 256+32+6), "a light ring")
}

// Labels of points in the corners are drawn whole: as much ink as in the middle.
func TestPointLabelsStayInside(t *testing.T) {
	label := func(at Point) float64 {
		with, without := Points{A: at, B: Point{0.5, 0.8}}, Points{A: at, B: Point{0.5, 0.8}, NoLabels: true}
		ink := func(p Points) float64 { _, h := inkRow(drawn(t, p, 64, 64)); return h * 64 }
		return ink(with) - ink(without)
	}
	middle := label(Point{0.5, 0.4})
	for _, corner := range []Point{{0.01, 0.01}, {0.99, 0.01}, {0.01, 0.99}, {0.99, 0.99}} {
		assert.InDelta(t, middle, label(corner), 0.15*middle, "%v", corner)
	}
}

func TestPalette(t *testing.T) {
	colors := []color.Color{red, color.White, color.NRGBA{G: 128, A: 255}}
	bottom := drawn(t, Palette{Colors: colors, Size: 0.25}, 60, 40)
	left := drawn(t, Palette{Colors: colors, Size: 0.25, Side: Left}, 40, 60)
	want := []color.NRGBA{red, {254, 254, 254, 255}, {G: 128, A: 255}}
	for i := range 60 {
		for j := range 10 {
			require.Equal(t, want[i/20], bottom.NRGBAAt(i, 39-j), "no mixed colours")
			require.Equal(t, want[i/20], left.NRGBAAt(j, i))
		}
	}
	assert.Equal(t, paper, bottom.NRGBAAt(30, 29), "a light edge")
	assert.Zero(t, bottom.NRGBAAt(30, 28).A)
	for _, palette := range [][]color.Color{DarkAcademia(), Pastel(), Retro()} {
		assert.Len(t, palette, 5)
	}
}

func TestDrawLimits(t *testing.T) {
	for size, want := range map[image.Point]error{
		{1e6, 1e6}: ErrTooLarge, {1 << 62, 1 << 62}: ErrTooLarge, {8192, 8193}: ErrTooLarge,
		{0, -1}: ErrEmpty, {0, 5}: ErrEmpty, {-5, -5}: ErrEmpty, {math.MinInt, math.MaxInt}: ErrEmpty,
	} {
		for _, m := range []Drawer{HorizonLine{}, LineSample{}, Points{}, Palette{}, sketch()} {
			picture, err := m.Draw(size.X, size.Y)
			assert.ErrorIs(t, err, want, "%T %v", m, size)
			assert.Nil(t, picture)
		}
	}
	assert.NotNil(t, drawn(t, HorizonLine{}, 1<<16, 1), "thin as it is")
}

func TestMakersNameFields(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	var noColor *color.NRGBA
	for _, c := range []struct {
		maker Drawer
		field string
	}{
		{HorizonLine{Row: nan}, "Row"}, {HorizonLine{Row: inf}, "Row"}, {HorizonLine{Row: -0.1}, "Row"}, {HorizonLine{Row: 1.01}, "Row"},
		{HorizonLine{Width: -1}, "Width"}, {HorizonLine{Width: nan}, "Width"}, {HorizonLine{Width: inf}, "Width"},
		{HorizonLine{Color: noColor}, "Color"}, {LineSample{Width: -1}, "Width"}, {LineSample{Color: noColor}, "Color"},
		{Points{A: Point{X: nan}}, "A.X"}, {Points{A: Point{Y: 2}}, "A.Y"}, {Points{B: Point{X: -inf}}, "B.X"}, {Points{B: Point{Y: -1}}, "B.Y"},
		{Points{ColorA: noColor}, "ColorA"}, {Points{ColorB: noColor}, "ColorB"}, {Points{Radius: nan}, "Radius"},
		{Palette{Size: nan}, "Size"}, {Palette{Size: 1.5}, "Size"}, {Palette{Side: 2}, "Side"}, {Palette{Colors: []color.Color{}}, "Colors"},
		{Palette{Colors: []color.Color{color.Black, nil}}, "Colors[1]"}, {Palette{Colors: []color.Color{noColor}}, "Colors[0]"},
		{Composition{Areas: []Area{{}, {Min: Point{X: nan}}}}, "Areas[1].Min"}, {Composition{Areas: []Area{{Max: Point{Y: inf}}}}, "Areas[0].Max"},
		{Composition{Areas: []Area{{Color: noColor}}}, "Areas[0].Color"}, {Composition{Lines: []Line{{From: Point{X: -inf}}}}, "Lines[0].From"},
		{Composition{Lines: []Line{{To: Point{Y: nan}}}}, "Lines[0].To"}, {Composition{Lines: []Line{{Width: -2}}}, "Lines[0].Width"},
		{Composition{Lines: []Line{{Color: noColor}}}, "Lines[0].Color"},
	} {
		_, err := c.maker.Draw(64, 64)
		assert.ErrorIs(t, err, ErrOptions, "%+v", c.maker)
		assert.ErrorContains(t, err, "overlay: invalid settings: "+c.field+": ")
		assert.Equal(t, err, c.maker.(interface{ Validate() error }).Validate())
	}
}

func TestCompositionNotes(t *testing.T) {
	reds := func(s Composition, size int) (n int) {
		picture := drawn(t, s, size, size)
		for y := range size {
			for x := range size {
				if picture.NRGBAAt(x, y) == red {
					n++
				}
			}
		}
		return n
	}
	line := Line{From: Point{0.3, 0}, To: Point{0.3, 1}}
	bare := reds(Composition{Lines: []Line{line}}, 512)
	assert.Zero(t, bare)
	line.Note = "this is a tree"
	assert.Greater(t, reds(Composition{Lines: []Line{line}}, 512), 500, "text and arrow")
	line.Note = "incomprehensibilities of every kind and size"
	assert.Zero(t, reds(Composition{Lines: []Line{line}}, 32), "illegible, so left out")
}

func BenchmarkDraw64(b *testing.B) {
	for _, m := range []Drawer{HorizonLine{Row: 0.3}, LineSample{}, Points{}} {
		b.Run(fmt.Sprintf("%T", m), func(b *testing.B) {
			for b.Loop() {
				drawn(b, m, 64, 64)
			}
		})
	}
}
