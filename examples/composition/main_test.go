package main

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
	"github.com/dualprocess/dualprocess-go/overlay"
)

// The sketches are drawn as those that the embedded verifier was taught with.
func TestSketches(t *testing.T) {
	picture := world.NewScene(rand.New(rand.NewPCG(1, 1)), world.Landscape, world.Narrow).Draw(64)
	for _, a := range arrangements {
		seen, err := overlay.Blend(picture.Image(), overlay.Solid{Picture: a.sketch()})
		require.NoError(t, err)
		mark := world.Mark{Kind: world.CompositionMark, Row: a.row, Column: a.column, Box: world.Box{
			Left: a.box.Min.X, Top: a.box.Min.Y, Right: a.box.Max.X, Bottom: a.box.Max.Y,
		}}
		assert.InDeltaSlice(t, world.FromImage(seen).Pix, mark.Over(picture).Pix, 1.5/255, a.name)
	}
}

func TestPromptsAreCaptions(t *testing.T) {
	for _, p := range append(trained, unseen...) {
		s, err := world.Parse(p)
		require.NoError(t, err)
		assert.ElementsMatch(t, []string{"tree", world.Field}, s.Things(), p)
	}
	for _, p := range unseen {
		assert.NotContains(t, trained, p)
	}
}
