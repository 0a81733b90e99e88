package mistral3_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"log"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/verifier/mistral3"
)

// A picture of any shape will do, as long as a row of it is left once its longer side
// fits.
func ExampleVerifier_Generate() {
	ctx := context.Background()
	rt, err := backends.Open(ctx, backends.Options{Backend: "go"})
	if err != nil {
		log.Fatal(err)
	}
	defer rt.Close()
	v, err := mistral3.Open(ctx, rt, "../../internal/golden/testdata/verifier/mistral3/model", mistral3.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for _, size := range []image.Point{{48, 16}, {3000, 1}} {
		_, err := v.Generate(ctx, image.NewGray(image.Rectangle{Max: size}), "What is it?", 1)
		fmt.Println(size, "is too long:", errors.Is(err, mistral3.ErrPictureSize))
	}
	// Output:
	// (48,16) is too long: false
	// (3000,1) is too long: true
}
