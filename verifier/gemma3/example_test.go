package gemma3_test

import (
	"context"
	"fmt"
	"image"
	"log"
	"strings"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/verifier/gemma3"
)

// In its own words, up to so many tokens. The model here is tiny and random: what it
// says means nothing, and is the same every time.
func ExampleVerifier_Generate() {
	ctx, cancel := context.WithCancel(context.Background())
	rt, err := backends.Open(ctx, backends.Options{Backend: "go"})
	if err != nil {
		log.Fatal(err)
	}
	defer rt.Close()
	v, err := gemma3.Open(ctx, rt, "../../internal/golden/testdata/verifier/gemma3/model", gemma3.Options{})
	if err != nil {
		log.Fatal(err)
	}
	black := image.NewGray(image.Rect(0, 0, 32, 32))
	text, err := v.Generate(ctx, black, "What do you see?", 4)
	if err != nil {
		log.Fatal(err)
	}
	again, err := v.Generate(ctx, black, "What do you see?", 8)
	fmt.Println(strings.HasPrefix(again, text), err)

	cancel()
	_, err = v.Generate(ctx, black, "What do you see?", 4)
	fmt.Println(err)
	// Output:
	// true <nil>
	// gemma3: generate: context canceled
}
