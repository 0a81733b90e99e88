package qwen25vl_test

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/verifier/qwen25vl"
)

// The folder would be that of Qwen/Qwen2.5-VL-7B-Instruct. This one is a model of
// the same make, 10,000 times smaller and with random weights: it finds nothing
// likely.
func ExampleOpen() {
	const folder = "../../internal/golden/testdata/verifier/qwen2_5_vl/model"
	picture := image.NewNRGBA(image.Rect(0, 0, 64, 64))
	draw.Draw(picture, picture.Bounds(), image.NewUniform(color.NRGBA{200, 30, 30, 255}), image.Point{}, draw.Src)

	ctx := context.Background()
	rt, err := backends.Open(ctx, backends.Options{Backend: "go"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer rt.Close()
	v, err := qwen25vl.Open(ctx, rt, folder, qwen25vl.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := v.Score(ctx, picture, dualprocess.Question{Text: "Is the picture red?", Answer: "Yes"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("P(Yes) = %.4f\n", p)
	// Output: P(Yes) = 0.0002
}
