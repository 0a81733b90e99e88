package pocket

import (
	"math/rand/v2"

	"github.com/dualprocess/dualprocess-go/internal/scenes"
)

// picturePool holds pictures that the generator made, with the scenes that they
// show as far as that is known.
type picturePool struct {
	scenes   []scenes.Scene
	pictures []*scenes.Picture
}

func (p *picturePool) pick(rng *rand.Rand) (scenes.Scene, *scenes.Picture) {
	i := rng.IntN(len(p.pictures))
	return p.scenes[i], p.pictures[i]
}
