package qwen25vl_test

import (
	"context"
	"fmt"
	"image"
	"log"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/verifier/qwen25vl"
)

// The folder would be that of Qwen/Qwen2.5-VL-7B-Instruct. This one is of the same
// make, 10,000 times smaller and with random weights: it finds nothing likely.
func ExampleVerifier_Score() {
	const folder = "../../internal/golden/testdata/verifier/qwen2_5_vl/model"
	ctx := context.Background()
	rt, err := backends.Open(ctx, backends.Options{Backend: "go"})
	if err != nil {
		log.Fatal(err)
	}
	defer rt.Close()
	v, err := qwen25vl.Open(ctx, rt, folder, qwen25vl.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for _, size := range []image.Point{{64, 64}, {128, 32}} { // pictures keep their shape
		black := image.NewGray(image.Rectangle{Max: size})
		p, err := v.Score(ctx, black, dualprocess.Question{Text: "Is the picture black?", Answer: "Yes"})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%v: P(Yes) = %.5f\n", size, p)
	}
	// Output:
	// (64,64): P(Yes) = 0.00014
	// (128,32): P(Yes) = 0.00016
}
