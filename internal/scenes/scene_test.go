package scenes

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

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
