package overlay

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// quarters is a picture whose left half is red and whose right half is green, with
// a blue column at either end.
func quarters(width, height int) *image.NRGBA {
	out := image.NewNRGBA(image.Rect(3, 5, 3+width, 5+height)) // bounds need not begin at 0
	fill := func(from, to int, ink color.NRGBA) {
		draw.Draw(out, image.Rect(3+from, 5, 3+to, 5+height), image.NewUniform(ink), image.Point{}, draw.Src)
	}
	fill(0, width/2, color.NRGBA{R: 200, A: 255})
	fill(width/2, width, color.NRGBA{G: 200, A: 255})
	fill(0, width/8, color.NRGBA{B: 200, A: 255})
	fill(width-width/8, width, color.NRGBA{B: 200, A: 255})
	return out
}

func TestFit(t *testing.T) {
	grey := image.NewNRGBA(image.Rect(0, 0, 32, 32))
	draw.Draw(grey, grey.Rect, image.NewUniform(color.Gray{100}), image.Point{}, draw.Src)
	wide, tall := quarters(64, 32), rotated(quarters(64, 32))
	const blue, red, shown = "blue", "red", "shown"
	name := map[color.NRGBA]string{{B: 200, A: 255}: blue, {R: 200, A: 255}: red, {100, 100, 100, 255}: shown}
	for fit, want := range map[Fit]map[int]string{ // along the longer axis of the picture, and across it
		Stretch: {1: blue, 10: red},
		Contain: {1: blue, 10: red},
		Cover:   {1: red, 10: red},
	} {
		t.Run(fmt.Sprint(fit), func(t *testing.T) {
			for _, paper := range []bool{false, true} {
				flat, err := Solid{Picture: wide, Fit: fit, Paper: paper}.Over(grey)
				require.NoError(t, err)
				steep, err := Solid{Picture: tall, Fit: fit, Paper: paper}.Over(grey)
				require.NoError(t, err)
				for at, colour := range want {
					assert.Equal(t, colour, name[flat.NRGBAAt(at, 16)])
					assert.Equal(t, colour, name[steep.NRGBAAt(16, at)])
				}
				for _, across := range []int{0, 7, 24, 31} {
					edge := shown
					if fit != Contain {
						edge = red
					}
					assert.Equal(t, edge, name[flat.NRGBAAt(10, across)], "across at %d", across)
					assert.Equal(t, edge, name[steep.NRGBAAt(across, 10)], "across at %d", across)
				}
			}
		})
	}
	for _, o := range []Layer{Solid{Picture: wide}, Transparent{Picture: tall}} {
		_, err := o.Over(grey)
		assert.ErrorIs(t, err, ErrOptions)
		assert.ErrorContains(t, err, "32x32")
		assert.ErrorContains(t, err, "Fit")
	}
}

// rotated turns a picture by swapping its axes.
func rotated(picture *image.NRGBA) *image.NRGBA {
	b := picture.Rect
	out := image.NewNRGBA(image.Rect(0, 0, b.Dy(), b.Dx()))
	for y := range b.Dy() {
		for x := range b.Dx() {
			out.SetNRGBA(y, x, picture.NRGBAAt(b.Min.X+x, b.Min.Y+y))
		}
	}
	return out
}

// A side may be a pixel off by rounding, of the picture or of the image, and no
// more.
func TestSameProportions(t *testing.T) {
	for _, c := range []struct {
		a, b image.Point
		want bool
	}{
		{image.Pt(64, 64), image.Pt(512, 512), true},
		{image.Pt(1920, 1080), image.Pt(640, 360), true},
		{image.Pt(1000, 667), image.Pt(768, 512), true},
		{image.Pt(1000, 666), image.Pt(768, 512), true},
		{image.Pt(1000, 665), image.Pt(768, 512), false},
		{image.Pt(1024, 1024), image.Pt(1024, 1008), false},
		{image.Pt(64, 64), image.Pt(64, 63), false},
		{image.Pt(100, 64), image.Pt(64, 100), false},
		{image.Pt(1<<40, 1<<40), image.Pt(1<<41, 1<<41), true},
	} {
		assert.Equal(t, c.want, sameProportions(c.a, c.b), "%v %v", c.a, c.b)
		assert.Equal(t, c.want, sameProportions(c.b, c.a), "%v %v", c.b, c.a)
	}
}

// No proportions make a sheet that is larger than the image and the picture are.
func TestFitOfExtremes(t *testing.T) {
	for _, size := range []image.Point{{1, 4096}, {4096, 1}, {3, 1}, {1, 1}} {
		picture := image.NewGray(image.Rectangle{Max: size})
		for _, fit := range []Fit{Stretch, Contain, Cover} {
			for _, onto := range []image.Point{{1, 1}, {5, 300}, {300, 5}, {64, 64}} {
				f, err := Solid{Picture: picture, Fit: fit}.film(onto.Y, onto.X)
				require.NoError(t, err)
				assert.Contains(t, f.keep, float32(0), "%v %v onto %v: there is ink", fit, size, onto)
			}
		}
	}
}

// TestDrawnAtTheImagesSize lays makers over images of sizes that no Multiple
// divides: every pixel is as drawn.
func TestDrawnAtTheImagesSize(t *testing.T) {
	black := color.NRGBA{A: 255}
	for _, size := range []image.Point{{64, 64}, {50, 77}, {131, 40}} {
		picture := image.NewNRGBA(image.Rectangle{Max: size})
		draw.Draw(picture, picture.Rect, image.NewUniform(black), image.Point{}, draw.Src)
		for _, m := range []Drawer{HorizonLine{Row: 0.3}, &Palette{}, Points{}, sketch()} {
			got, err := Solid{Picture: m}.Over(picture)
			require.NoError(t, err)
			want, err := Solid{Picture: drawn(t, m, size.X, size.Y), Multiple: 1}.Over(picture)
			require.NoError(t, err)
			require.Equal(t, want, got)
			assert.NotEqual(t, picture.Pix, got.Pix)
		}
		rounded, err := Solid{Picture: HorizonLine{}, Multiple: 32}.Over(picture)
		require.NoError(t, err)
		sharp, err := Solid{Picture: HorizonLine{}}.Over(picture)
		require.NoError(t, err)
		assert.Equal(t, size.X%32 == 0 && size.Y%32 == 0, assert.ObjectsAreEqual(sharp, rounded), "a Multiple that is given counts")
	}
}

// thumb is a Drawer that draws a size of its own.
type thumb struct{ image.Point }

func (d thumb) Bounds() image.Rectangle { return image.Rectangle{} }

func (d thumb) Draw(_, _ int) (*image.NRGBA, error) {
	if d.X == 0 {
		return nil, nil
	}
	return image.NewNRGBA(image.Rectangle{Max: d.Point}), nil
}

// Drawers of other packages are held to what they promise.
func TestDrawersOfOthers(t *testing.T) {
	picture := scene(32, 32)
	_, err := Solid{Picture: thumb{image.Pt(16, 16)}}.Over(picture)
	assert.NoError(t, err)
	_, err = Solid{Picture: thumb{image.Pt(16, 8)}}.Over(picture)
	assert.ErrorContains(t, err, "Fit")
	_, err = Solid{Picture: thumb{}}.Over(picture)
	assert.ErrorIs(t, err, ErrOptions)
}
