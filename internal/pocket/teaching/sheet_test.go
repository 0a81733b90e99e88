package teaching

import (
	"image"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
)

// TestSheets writes contact sheets of all families, whole and with things
// missing, for a person to look at:
//
//	SCENES_SHEETS=folder go test -run Sheets ./internal/pocket/teaching
func TestSheets(t *testing.T) {
	folder := os.Getenv("SCENES_SHEETS")
	if folder == "" {
		t.Skip("SCENES_SHEETS names no folder")
	}
	kinds := map[string]func(*rand.Rand, world.Family) world.Scene{
		"narrow": func(rng *rand.Rand, f world.Family) world.Scene { return world.NewScene(rng, f, world.Narrow) },
		"broad":  func(rng *rand.Rand, f world.Family) world.Scene { return world.NewScene(rng, f, world.Broad) },
		"absent": func(rng *rand.Rand, f world.Family) world.Scene {
			return Absent(rng, world.NewScene(rng, f, world.Narrow))
		},
	}
	for kind, scene := range kinds {
		for _, f := range world.Families() {
			rng := rand.New(rand.NewPCG(1, uint64(f)))
			file, err := os.Create(filepath.Join(folder, f.String()+"_"+kind+".png"))
			require.NoError(t, err)
			require.NoError(t, png.Encode(file, sheet(func() *world.Picture { return scene(rng, f).Draw(64) })))
			require.NoError(t, file.Close())
		}
	}
}

// sheet lays pictures of 64 pixels side by side, enlarged twice.
func sheet(next func() *world.Picture) image.Image {
	const columns, rows, side = 12, 4, 130
	img := image.NewNRGBA(image.Rect(0, 0, columns*side, rows*side))
	for i := 0; i < columns*rows; i++ {
		p := next().Image()
		for k := 0; k < 128*128; k++ {
			img.Set(i%columns*side+k%128, i/columns*side+k/128, p.At(k%128/2, k/128/2))
		}
	}
	return img
}
