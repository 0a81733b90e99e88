package llava_test

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/verifier/llava"
)

// The checkpoint here is tiny and its weights are random, so that the example runs
// anywhere; the published ones open in the same way.
func ExampleOpen() {
	const folder = "../../internal/golden/testdata/verifier/llava/model"
	ctx := context.Background()
	rt, err := backends.Open(ctx, backends.Options{Backend: "go"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer rt.Close()
	v, err := llava.Open(ctx, rt, folder, llava.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	red := image.NewNRGBA(image.Rect(0, 0, 64, 48))
	draw.Draw(red, red.Bounds(), image.NewUniform(color.NRGBA{220, 40, 30, 255}), image.Point{}, draw.Src)
	question := dualprocess.Question{Text: "Is the picture red?", Answer: "Yes"}
	p, err := v.Score(ctx, red, question)
	if err != nil {
		fmt.Println(err)
		return
	}
	yes, err := v.YesNo(ctx, red, question)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("P(Yes) among all that could be said, and against No:", p > 0 && p < yes && yes < 1)
	// Output:
	// P(Yes) among all that could be said, and against No: true
}
