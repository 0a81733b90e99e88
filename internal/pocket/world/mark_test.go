package world

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/overlay"
)

// TestMarksLieAsOverlaysDo: what the verifier is taught with is what a task will
// show it.
func TestMarksLieAsOverlaysDo(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	for _, kind := range Marks() {
		s := RandomScene(rng, Broad)
		p, mark := FromImage(s.Draw(64).Image()), RandomMark(rng, kind, s)
		blended, err := overlay.Blend(p.Image(), overlay.Solid{Picture: mark.draw(64)})
		require.NoError(t, err)
		got := mark.Over(p)
		assert.InDeltaSlice(t, FromImage(blended).Pix, got.Pix, 1.5/255)
		assert.NotEqual(t, p.Pix, got.Pix, "the mark shows")
	}
	p := RandomScene(rng, Broad).Draw(64)
	assert.Equal(t, p, Mark{}.Over(p))
}
