package world_test

import (
	"fmt"
	"math/rand/v2"

	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
)

// A scene is drawn from a seed and described.
func Example() {
	rng := rand.New(rand.NewPCG(1, 2))
	s := world.NewScene(rng, world.Landscape, world.Narrow)
	picture := s.Draw(64)
	fmt.Println(s.Caption())
	fmt.Printf("horizon at %.2f of %d pixels\n", s.Horizon, picture.Size)
	// Output:
	// a desert by day with a tree
	// horizon at 0.43 of 64 pixels
}

func ExampleTokens() {
	fmt.Printf("%q\n", world.Tokens("Is A closer than B?"))
	// Output:
	// ["is" "a" "closer" "than" "b" "?"]
}
