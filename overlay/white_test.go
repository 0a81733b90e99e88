package overlay

import (
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func save(t *testing.T, path string, picture image.Image) {
	file, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, png.Encode(file, picture))
	require.NoError(t, file.Close())
}

// hides returns which pixels Solid hides, and their share.
func hides(t *testing.T, picture image.Image) (hidden []bool, share float64) {
	size := picture.Bounds().Size()
	film, err := Solid{Picture: picture}.film(size.Y, size.X)
	require.NoError(t, err)
	hidden = make([]bool, len(film.keep))
	for i, keep := range film.keep {
		if hidden[i] = keep < 1; hidden[i] {
			share += 1 / float64(len(hidden))
		}
	}
	return hidden, share
}

// apart returns the share of pixels that only the one hides.
func apart(a, b []bool) (share float64) {
	for i := range a {
		if a[i] && !b[i] {
			share += 1 / float64(len(a))
		}
	}
	return share
}

// Lossy pictures of lines hide what the lines themselves hide.
func TestWhiteOfLossyPictures(t *testing.T) {
	lossy, err := filepath.Glob("testdata/made/ring_*")
	require.NoError(t, err)
	require.NotEmpty(t, lossy)
	lossy = append(lossy, "testdata/pics/line_q90.jpg", "testdata/pics/line_q95.jpg")
	for _, path := range lossy {
		t.Run(filepath.Base(path), func(t *testing.T) {
			original := "testdata/made/ring.png"
			if filepath.Dir(path) == "testdata/pics" {
				original = "testdata/pics/line.png"
			}
			source, err := Open(original)
			require.NoError(t, err)
			truth, _ := hides(t, source)
			picture, err := Open(path)
			require.NoError(t, err)
			got, _ := hides(t, picture)
			assert.Less(t, apart(got, truth), 6e-3, "hidden wrongly")
			assert.Less(t, apart(truth, got), 3e-3, "lost")

			strict, err := Reader{White: -1}.Open(path)
			require.NoError(t, err)
			got, _ = hides(t, strict)
			assert.Greater(t, apart(got, truth), 2e-2, "hidden without the tolerance")
		})
	}
}

// Lossless pictures are taken as they are unless a tolerance is asked for.
func TestWhiteOfLosslessPictures(t *testing.T) {
	path := filepath.Join(t.TempDir(), "steps.png")
	steps := image.NewNRGBA(image.Rect(0, 0, 256, 8))
	for x := range 256 {
		for y := range 8 {
			steps.SetNRGBA(x, y, color.NRGBA{255, uint8(x), 255, 200})
		}
	}
	save(t, path, steps)
	for white, hidden := range map[int]int{0: 255, -1: 255, 1: 254, 40: 215, 255: 0} {
		picture, err := Reader{White: white}.Open(path)
		require.NoError(t, err)
		_, share := hides(t, picture)
		assert.InDelta(t, float64(hidden)/256, share, 1e-9, "White: %d", white)
		assert.Equal(t, uint8(200), at(picture, 0, 0).A, "alpha stays")
	}
	for _, path := range []string{path, "testdata/pics/rgb.jpg"} {
		_, err := Reader{White: 256}.Open(path)
		assert.ErrorIs(t, err, ErrOptions)
		assert.ErrorContains(t, err, "White")
	}
	picture, err := Reader{White: 60}.Open("testdata/pics/palette_trns.png")
	require.NoError(t, err)
	assert.Equal(t, color.NRGBA{255, 255, 255, 0}, at(picture, 32, 24), "what cannot be seen stays so")
	assert.Equal(t, color.NRGBA{255, 255, 255, 255}, at(picture, 0, 0), "a pale sky")
}
