package main

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
	"github.com/dualprocess/dualprocess-go/overlay"
)

// The strips are those that the embedded verifier was taught with, the names those by
// which palettes are measured.
func TestStrips(t *testing.T) {
	picture := world.RandomScene(rand.New(rand.NewPCG(1, 1)), world.Narrow).Draw(64)
	var names []string
	for _, l := range looks {
		names = append(names, l.name)
		seen, err := overlay.Blend(picture.Image(), overlay.Solid{Picture: overlay.Palette{Colors: l.colors}})
		require.NoError(t, err)
		taught := world.Mark{Kind: world.PaletteMark, Palette: l.name}.Over(picture)
		assert.InDeltaSlice(t, world.FromImage(seen).Pix, taught.Pix, 1.5/255, l.name)
	}
	assert.Equal(t, world.PaletteNames, names)
}

func TestPromptsAreCaptions(t *testing.T) {
	families := func(prompts []string) map[world.Family]int {
		count := map[world.Family]int{}
		for _, p := range prompts {
			s, err := world.Parse(p)
			require.NoError(t, err)
			count[s.Family]++
		}
		return count
	}
	assert.Len(t, families(trained), 3)
	assert.Len(t, families(unseen), 3)
	for _, p := range unseen {
		assert.NotContains(t, trained, p)
	}
}
