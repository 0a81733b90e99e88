package scenes

import (
	"image"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSheets(t *testing.T) {
	dir := os.Getenv("SCENES_SHEETS")
	if dir == "" {
		t.Skip("SCENES_SHEETS names no folder for contact sheets")
	}
	for _, w := range []World{Narrow, Broad} {
		for _, f := range Families() {
			rng := rand.New(rand.NewPCG(1, uint64(f)))
			const columns, rows, size, gap, zoom = 12, 4, 64, 2, 2
			sheet := image.NewNRGBA(image.Rect(0, 0, columns*(size*zoom+gap), rows*(size*zoom+gap)))
			for i := 0; i < columns*rows; i++ {
				img := New(rng, f, w).Draw(size).Image()
				x, y := (i%columns)*(size*zoom+gap), (i/columns)*(size*zoom+gap)
				for v := 0; v < size*zoom; v++ {
					for u := 0; u < size*zoom; u++ {
						sheet.Set(x+u, y+v, img.At(u/zoom, v/zoom))
					}
				}
			}
			file, err := os.Create(filepath.Join(dir, f.String()+[]string{"_narrow", "_broad"}[w]+".png"))
			require.NoError(t, err)
			require.NoError(t, png.Encode(file, sheet))
			require.NoError(t, file.Close())
		}
	}
}

func TestSceneIsDeterministic(t *testing.T) {
	for _, f := range Families() {
		for _, w := range []World{Narrow, Broad} {
			a := New(rand.New(rand.NewPCG(7, 9)), f, w)
			b := New(rand.New(rand.NewPCG(7, 9)), f, w)
			require.Equal(t, a, b)
			require.Equal(t, a.Draw(64).Pix, b.Draw(64).Pix)
		}
	}
}

func TestCaptionsAreClosed(t *testing.T) {
	known := map[string]bool{}
	for _, w := range Words() {
		known[w] = true
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for i := 0; i < 2000; i++ {
		s := Random(rng, World(i%2))
		words := strings.Fields(s.Caption())
		require.LessOrEqual(t, len(words), 12)
		for _, w := range words {
			require.True(t, known[w], w)
		}
		require.Contains(t, Captions(s.Family), s.Caption())
	}
}

func BenchmarkDraw(b *testing.B) {
	for _, f := range Families() {
		b.Run(f.String(), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 2))
			for b.Loop() {
				New(rng, f, Broad).Draw(64)
			}
		})
	}
}
