package world

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSceneIsDeterministic(t *testing.T) {
	for _, f := range Families() {
		for _, w := range []Spread{Narrow, Broad} {
			a := NewScene(rand.New(rand.NewPCG(7, 9)), f, w)
			b := NewScene(rand.New(rand.NewPCG(7, 9)), f, w)
			require.Equal(t, a, b)
			require.Equal(t, a.Draw(64).Pix, b.Draw(64).Pix)
		}
	}
}

func TestCaptionsAreListed(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for i := 0; i < 2000; i++ {
		s := RandomScene(rng, Spread(i%2))
		require.LessOrEqual(t, len(Tokens(s.Caption())), 13)
		s.Grade = 0
		require.Contains(t, Captions(s.Family), s.Caption())
	}
}

func BenchmarkDraw(b *testing.B) {
	for _, f := range Families() {
		b.Run(f.String(), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 2))
			for b.Loop() {
				NewScene(rng, f, Broad).Draw(64)
			}
		})
	}
}
