package pocket_test

import (
	"context"
	"fmt"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/generator/pocket"
)

func ExampleOpen() {
	ctx := context.Background()
	rt, err := backends.Open(ctx, backends.Options{Backend: "go"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer rt.Close()
	g, err := pocket.Open(ctx, rt, pocket.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	images, err := dualprocess.Sample(ctx, rt, g, "a meadow at night with a tree", dualprocess.SampleOptions{Seeds: []int64{1, 2}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, img := range images {
		fmt.Println(img.Bounds())
	}
	// Output:
	// (0,0)-(64,64)
	// (0,0)-(64,64)
}

// The model reads the words of its own world; another one is an error that names
// it and those that look like it.
func ExampleGenerator_Encode() {
	ctx := context.Background()
	rt, err := backends.Open(ctx, backends.Options{Backend: "go"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer rt.Close()
	g, err := pocket.Open(ctx, rt, pocket.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = g.Encode(ctx, "a medow at night")
	fmt.Println(err)
	// Output: pocket generator: unreadable text: tokenizer: unknown word: "medow" (nearest: meadow); pocket.Prompts and pocket.Vocabulary list what is known
}
