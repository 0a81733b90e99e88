package llava_test

import (
	"context"
	"fmt"
	"image"
	"log"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/verifier/llava"
)

// How much rather Yes than No: the question's own answer does not matter, nor what
// else the model, which here is tiny and random, might say.
func ExampleVerifier_YesNo() {
	ctx := context.Background()
	rt, err := backends.Open(ctx, backends.Options{Backend: "go"})
	if err != nil {
		log.Fatal(err)
	}
	defer rt.Close()
	v, err := llava.Open(ctx, rt, "../../internal/golden/testdata/verifier/llava/model", llava.Options{})
	if err != nil {
		log.Fatal(err)
	}
	yes, err := v.YesNo(ctx, image.NewGray(image.Rect(0, 0, 64, 48)), dualprocess.Question{Text: "Is the picture black?"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.3f\n", yes)
	// Output: 0.099
}
