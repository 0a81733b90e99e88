package qwen3vl_test

import (
	"context"
	"fmt"
	"image"
	"log"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/verifier/qwen3vl"
)

// The folder would be that of Qwen/Qwen3-VL-4B-Instruct. This one is of the same
// make, 10,000 times smaller and with random weights: it finds nothing likely.
func ExampleVerifier_Score() {
	const folder = "../../internal/golden/testdata/verifier/qwen3_vl/model"
	ctx := context.Background()
	rt, err := backends.Open(ctx, backends.Options{Backend: "go"})
	if err != nil {
		log.Fatal(err)
	}
	defer rt.Close()
	v, err := qwen3vl.Open(ctx, rt, folder, qwen3vl.Options{})
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
	// (64,64): P(Yes) = 0.00118
	// (128,32): P(Yes) = 0.00078
}
