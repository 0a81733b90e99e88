package qwen35_test

import (
	"context"
	"fmt"
	"image"
	"log"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/verifier/qwen35"
)

// The folder would be that of Qwen/Qwen3.5-4B. This one is of the same
// make, 10,000 times smaller and with random weights: it finds nothing likely.
func ExampleVerifier_Score() {
	const folder = "../../internal/golden/testdata/verifier/qwen3_5/model"
	ctx := context.Background()
	rt, err := backends.Open(ctx, backends.Options{Backend: "go"})
	if err != nil {
		log.Fatal(err)
	}
	defer rt.Close()
	v, err := qwen35.Open(ctx, rt, folder, qwen35.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for _, size := range []image.Point{{64, 64}, {128, 32}} { // pictures keep their shape
		black := image.NewGray(image.Rectangle{Max: size})
		p, err := v.Score(ctx, black, dualprocess.Question{Text: "Is the picture black?", Answer: "Yes"})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%v: P(Yes) = %.6f\n", size, p)
	}
	// Output:
	// (64,64): P(Yes) = 0.000358
	// (128,32): P(Yes) = 0.000359
}
