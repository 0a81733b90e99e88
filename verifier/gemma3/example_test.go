package gemma3_test

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/verifier/gemma3"
)

// The checkpoint here is tiny and its weights are random, so that the example runs
// anywhere; the published ones open in the same way.
func ExampleOpen() {
	const folder = "../../internal/golden/testdata/verifier/gemma3/model"
	ctx := context.Background()
	rt, err := backends.Open(ctx, backends.Options{Backend: "go"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer rt.Close()
	v, err := gemma3.Open(ctx, rt, folder, gemma3.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	red := image.NewNRGBA(image.Rect(0, 0, 64, 48))
	draw.Draw(red, red.Bounds(), image.NewUniform(color.NRGBA{220, 40, 30, 255}), image.Point{}, draw.Src)
	p, err := v.Score(ctx, red, dualprocess.Question{Text: "Is the picture red?", Answer: "Yes"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("a probability:", p > 0 && p < 1)
	// Output:
	// a probability: true
}
