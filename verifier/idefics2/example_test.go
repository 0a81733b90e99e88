package idefics2_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"log"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/verifier/idefics2"
)

// As the paper's reference does it, the model, which here is tiny and random, looks at
// a picture in its own size. It never splits one, and Open says so.
func ExampleOptions() {
	const folder = "../../internal/golden/testdata/verifier/idefics2/model"
	ctx := context.Background()
	rt, err := backends.Open(ctx, backends.Options{Backend: "go"})
	if err != nil {
		log.Fatal(err)
	}
	defer rt.Close()
	v, err := idefics2.Open(ctx, rt, folder, idefics2.Options{Paper: true})
	if err != nil {
		log.Fatal(err)
	}
	p, err := v.Score(ctx, image.NewGray(image.Rect(0, 0, 56, 42)), dualprocess.Question{Text: "Is the picture black?", Answer: "Yes"})
	fmt.Printf("P(Yes) = %.5f %v\n", p, err)

	_, err = idefics2.Open(ctx, rt, folder, idefics2.Options{Paper: true, Split: true})
	fmt.Println(errors.Is(err, idefics2.ErrOptions))
	// Output:
	// P(Yes) = 0.00003 <nil>
	// true
}
