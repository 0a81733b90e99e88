package overlay

import (
	"image"
	"image/color"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// at returns a pixel of a picture, not premultiplied.
func at(picture image.Image, x, y int) color.NRGBA {
	corner := picture.Bounds().Min
	return color.NRGBAModel.Convert(picture.At(corner.X+x, corner.Y+y)).(color.NRGBA)
}

// assertColor compares colours to within so many levels.
func assertColor(t *testing.T, want, got color.NRGBA, within int) {
	t.Helper()
	for k, pair := range [][2]uint8{{want.R, got.R}, {want.G, got.G}, {want.B, got.B}, {want.A, got.A}} {
		assert.InDelta(t, pair[0], pair[1], float64(within), "channel %d of %v, want %v", k, got, want)
	}
}

// TestUsersPictures reads pictures as users have them: a sky at the top, a meadow at
// the bottom, and white, or nothing, in the middle.
func TestUsersPictures(t *testing.T) {
	size := image.Pt(64, 48)
	sky, meadow, white := color.NRGBA{200, 220, 255, 255}, color.NRGBA{10, 60, 20, 255}, color.NRGBA{255, 255, 255, 255}
	grey, dark, clear := color.NRGBA{218, 218, 218, 255}, color.NRGBA{40, 40, 40, 255}, color.NRGBA{255, 255, 255, 0}
	webSafe, webDark := color.NRGBA{204, 204, 255, 255}, color.NRGBA{0, 51, 51, 255} // the GIF has 16 colours
	ink := color.NRGBA{255, 0, 0, 255}
	for name, want := range map[string]struct {
		size                image.Point
		first, last, middle color.NRGBA
	}{
		"animated.gif": {size, webSafe, webDark, white}, "cmyk.jpg": {size, sky, meadow, white}, "garbage.jpg": {size, sky, meadow, white},
		"grey.jpg": {size, grey, dark, white}, "grey.png": {size, grey, dark, white}, "grey16.png": {size, grey, dark, white},
		"la.png": {size, grey, dark, white}, "line.png": {image.Pt(512, 512), white, white, white},
		"line_q90.jpg": {image.Pt(512, 512), white, white, white}, "line_q95.jpg": {image.Pt(512, 512), white, white, white},
		"one.png": {image.Pt(1, 1), ink, ink, ink}, "wide.png": {image.Pt(4000, 2), ink, ink, ink}, "onebit.png": {size, white, white, white},
		"palette.png": {size, sky, meadow, white}, "palette_trns.png": {size, sky, meadow, clear}, "progressive.jpg": {size, sky, meadow, white},
		"rgb.jpg": {size, sky, meadow, white}, "rgb.png": {size, sky, meadow, white}, "rgba.png": {size, sky, meadow, clear},
		"x.bmp": {size, sky, meadow, white}, "x.tiff": {size, sky, meadow, white}, "x.webp": {size, sky, meadow, white},
	} {
		t.Run(name, func(t *testing.T) {
			picture, err := Open(filepath.Join("testdata/pics", name))
			require.NoError(t, err)
			require.Equal(t, image.Rectangle{Max: want.size}, picture.Bounds())
			within := 0
			if strings.HasSuffix(name, ".jpg") {
				within = 3
			}
			assertColor(t, want.first, at(picture, 0, 0), within)
			assertColor(t, want.last, at(picture, want.size.X-1, want.size.Y-1), within)
			assertColor(t, want.middle, at(picture, want.size.X/2, want.size.Y/2), 0)
		})
	}

	lying, err := Open("testdata/pics/exif6.jpg")
	require.NoError(t, err)
	require.Equal(t, image.Rect(0, 0, 48, 64), lying.Bounds(), "stands")
	assertColor(t, sky, at(lying, 47, 0), 3)
	assertColor(t, meadow, at(lying, 0, 63), 3)

	_, err = Open("testdata/pics/truncated.jpg")
	assert.ErrorContains(t, err, "decoding")
	_, err = Open("testdata/pics/x.avif")
	assert.ErrorIs(t, err, ErrFormat)
	assert.ErrorContains(t, err, "AVIF")
}

// TestFormats reads one picture, red, green, blue and white, in the ways in which
// testdata/make.py wrote it, each of which must come out upright.
func TestFormats(t *testing.T) {
	paths, err := filepath.Glob("testdata/made/*")
	require.NoError(t, err)
	for _, path := range paths {
		name := filepath.Base(path)
		if strings.HasPrefix(name, "ring") || name == "animated.webp" || name == "part.gif" || strings.HasPrefix(name, "fax") {
			continue // tested apart
		}
		t.Run(name, func(t *testing.T) {
			picture, err := Open(path)
			require.NoError(t, err)
			require.Equal(t, image.Rect(0, 0, 48, 32), picture.Bounds())
			fades, clear := strings.HasPrefix(name, "alpha"), name == "transparent.gif"
			testQuarters(t, picture, fades, clear)
			if !fades && !clear {
				testQuarters(t, premultiplied(picture, picture.Bounds(), false), false, false)
			}
		})
	}
}

// testQuarters looks into the middle of each quarter.
func testQuarters(t *testing.T, picture image.Image, fades, clear bool) {
	for place, want := range map[image.Point]color.NRGBA{
		{12, 8}: {230, 0, 0, 255}, {36, 8}: {0, 160, 0, 255}, {12, 24}: {0, 0, 230, 255}, {36, 24}: {255, 255, 255, 255},
	} {
		got := at(picture, place.X, place.Y)
		if fades { // from nothing at the top
			want.A = map[int]uint8{8: 68, 24: 196}[place.Y]
		}
		if clear && want.G == 255 {
			assert.Zero(t, got.A)
			continue
		}
		assertColor(t, want, got, 3)
	}
	// No row or column may be lost.
	assert.Greater(t, at(picture, 0, 0).R, uint8(200))
	assert.Greater(t, at(picture, 47, 0).G, uint8(140))
	assert.Greater(t, at(picture, 0, 31).B, uint8(200))
}

// A frame that is smaller than its screen stands where it belongs on it.
func TestFirstScreen(t *testing.T) {
	picture, err := Open("testdata/made/part.gif")
	require.NoError(t, err)
	require.Equal(t, image.Rect(0, 0, 64, 48), picture.Bounds())
	for place, want := range map[image.Point]color.NRGBA{
		{0, 0}: {}, {63, 47}: {}, {9, 5}: {}, {10, 4}: {}, {58, 10}: {}, {20, 37}: {},
		{10, 5}: {230, 0, 0, 255}, {57, 5}: {0, 160, 0, 255}, {10, 36}: {0, 0, 230, 255}, {57, 36}: {255, 255, 255, 255},
	} {
		assertColor(t, want, at(picture, place.X, place.Y), 0)
	}
}

func TestFax(t *testing.T) {
	for _, path := range []string{"testdata/made/fax_white_is_zero.tiff", "testdata/made/fax_black_is_zero.tiff"} {
		picture, err := Open(path)
		require.NoError(t, err)
		require.Equal(t, image.Rect(0, 0, 48, 32), picture.Bounds())
		for y := 16; y < 32; y++ {
			for x := 24; x < 48; x++ {
				assertColor(t, color.NRGBA{255, 255, 255, 255}, at(picture, x, y), 0)
			}
		}
		_, hidden := hides(t, picture)
		assert.InDelta(t, .6, hidden, .15, "%s: most of the rest is dark", path)
	}
}

func TestAnimatedWebP(t *testing.T) {
	_, err := Open("testdata/made/animated.webp")
	assert.ErrorIs(t, err, ErrFormat)
	assert.ErrorContains(t, err, "animated")
}

// Where EXIF says nothing sound, a picture is as it lies.
func TestOrientationUnsound(t *testing.T) {
	data, err := os.ReadFile("testdata/made/exif6.jpg")
	require.NoError(t, err)
	for value := range 256 {
		file := append([]byte(nil), data...)
		for i := range file[:len(file)-10] {
			if string(file[i:i+8]) == "\x01\x12\x00\x03\x00\x00\x00\x01" { // the entry, big-endian
				file[i+9] = byte(value)
			}
		}
		picture, err := Decode(strings.NewReader(string(file)))
		require.NoError(t, err)
		assert.Equal(t, value >= 5 && value <= 8, picture.Bounds().Dx() > picture.Bounds().Dy(), "%d", value)
	}
}

// Pictures of phones are large: they are read and laid over images in bounded memory.
func TestLargePicture(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds and a gigabyte")
	}
	large := image.NewGray(image.Rect(0, 0, 8192, 8192))
	for i := range large.Pix {
		large.Pix[i] = 255
	}
	for y := range 400 { // a line
		for x := range 8192 {
			large.SetGray(x, 2400+y, color.Gray{})
		}
	}
	path := filepath.Join(t.TempDir(), "large.png")
	save(t, path, large)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	picture, err := Open(path)
	require.NoError(t, err)
	film, err := Solid{Picture: picture}.film(64, 64)
	require.NoError(t, err)
	runtime.ReadMemStats(&after)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(6*MaxPixels), "bytes")
	assert.Zero(t, film.keep[20*64+32], "the line hides")
	assert.Equal(t, float32(1), film.keep[40*64+32])
}
