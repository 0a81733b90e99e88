package clip_test

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"log"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/verifier/clip"
)

// This model is tiny and knows nothing, so that the example runs anywhere; real ones
// open in the same way.
func Example() {
	const folder = "../../internal/golden/testdata/verifier/clip/model"
	ctx := context.Background()
	rt, err := backends.Open(ctx, backends.Options{Backend: "go"})
	if err != nil {
		log.Fatal(err)
	}
	defer rt.Close()
	c, err := clip.Open(ctx, rt, folder, clip.Options{})
	if err != nil {
		log.Fatal(err)
	}
	picture := image.NewNRGBA(image.Rect(0, 0, 64, 48))
	draw.Draw(picture, picture.Bounds(), image.NewUniform(color.NRGBA{220, 40, 30, 255}), image.Point{}, draw.Src)

	score, err := c.Score(ctx, picture, dualprocess.Question{Text: "a photo of a lighthouse", Answer: "Yes"})
	if err != nil {
		log.Fatal(err)
	}
	features, err := c.Features(ctx, picture, picture)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("CLIPScore %.3f; %d vectors of %d numbers\n", score, len(features), len(features[0]))
	// Output: CLIPScore 0.144; 2 vectors of 20 numbers
}
