package scenes_test

import (
	"fmt"
	"math/rand/v2"

	"github.com/dualprocess/dualprocess-go/internal/scenes"
)

// A scene is drawn from a seed, described, and measured on its picture.
func Example() {
	rng := rand.New(rand.NewPCG(1, 2))
	s := scenes.New(rng, scenes.Landscape, scenes.Narrow)
	row, _ := scenes.MeasureHorizon(s.Draw(64))
	fmt.Println(s.Caption())
	fmt.Printf("horizon drawn at %.2f, measured at %.2f\n", s.Horizon, row)
	// Output:
	// a desert by day
	// horizon drawn at 0.43, measured at 0.43
}

func ExampleTokens() {
	fmt.Printf("%q\n", scenes.Tokens("Is A closer than B?"+scenes.Suffix))
	// Output:
	// ["is" "a" "closer" "than" "b" "?" "answer" "with" "yes" "or" "no" "."]
}
