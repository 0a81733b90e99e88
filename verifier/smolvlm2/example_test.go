package smolvlm2_test

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"log"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/verifier/smolvlm2"
)

// The model, which here is tiny and random, looks at a picture as a whole, or at its
// tiles as well.
func ExampleOptions() {
	const folder = "../../internal/golden/testdata/verifier/smolvlm2/model"
	ctx := context.Background()
	rt, err := backends.Open(ctx, backends.Options{Backend: "go"})
	if err != nil {
		log.Fatal(err)
	}
	defer rt.Close()
	picture := image.NewNRGBA(image.Rect(0, 0, 64, 48))
	draw.Draw(picture, image.Rect(0, 0, 64, 24), image.NewUniform(color.NRGBA{40, 90, 220, 255}), image.Point{}, draw.Src)
	for _, split := range []bool{false, true} {
		v, err := smolvlm2.Open(ctx, rt, folder, smolvlm2.Options{Split: split})
		if err != nil {
			log.Fatal(err)
		}
		p, err := v.Score(ctx, picture, dualprocess.Question{Text: "Is there a sky?", Answer: "Yes"})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("split: %t, P(Yes) = %.6f\n", split, p)
	}
	// Output:
	// split: false, P(Yes) = 0.000086
	// split: true, P(Yes) = 0.000061
}
