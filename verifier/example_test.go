package verifier_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"log"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/verifier"
)

// The folder says which model it holds. This one is a LLaVA-1.5 that is tiny and
// knows nothing, so that the example runs anywhere; real ones open in the same way.
func ExampleOpen() {
	const folder = "../internal/golden/testdata/verifier/llava/model"
	ctx := context.Background()
	rt, err := backends.Open(ctx, backends.Options{Backend: "go"})
	if err != nil {
		log.Fatal(err)
	}
	defer rt.Close()
	v, err := verifier.Open(ctx, rt, folder, verifier.Options{})
	if err != nil {
		log.Fatal(err)
	}

	picture := image.NewNRGBA(image.Rect(0, 0, 64, 48))
	draw.Draw(picture, picture.Bounds(), image.NewUniform(color.NRGBA{220, 40, 30, 255}), image.Point{}, draw.Src)
	question := dualprocess.Question{Text: "Is the picture red?", Answer: "Yes"}
	p, err := v.Score(ctx, picture, question)
	if err != nil {
		log.Fatal(err)
	}
	yes, err := v.YesNo(ctx, picture, question)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("P(Yes) is %.5f among all that could be said, and %.2f against No\n", p, yes)
	// Output: P(Yes) is 0.00018 among all that could be said, and 0.72 against No
}

// A field that the model does not have is an error, so that nothing is silently
// another experiment than the one that was meant.
func ExampleOptions() {
	const llava = "../internal/golden/testdata/verifier/llava/model"
	ctx := context.Background()
	rt, err := backends.Open(ctx, backends.Options{Backend: "go"})
	if err != nil {
		log.Fatal(err)
	}
	defer rt.Close()
	_, err = verifier.Open(ctx, rt, llava, verifier.Options{Split: true})
	fmt.Println(errors.Is(err, verifier.ErrOptions))
	// Output: true
}
