package dualprocessgo_test

import (
	"context"
	"log"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/generator"
	pocketgenerator "github.com/dualprocess/dualprocess-go/generator/pocket"
	"github.com/dualprocess/dualprocess-go/lora"
	"github.com/dualprocess/dualprocess-go/overlay"
	"github.com/dualprocess/dualprocess-go/verifier"
	pocketverifier "github.com/dualprocess/dualprocess-go/verifier/pocket"
)

// The embedded pocket models learn to put the horizon on a red line. They need no
// download of weights and no GPU; examples/horizon is this with all that shows
// what came of it.
func Example() {
	ctx := context.Background()
	rt, err := backends.Open(ctx, backends.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer rt.Close()
	generator, err := pocketgenerator.Open(ctx, rt, pocketgenerator.Options{})
	if err != nil {
		log.Fatal(err)
	}
	verifier, err := pocketverifier.Open(ctx, rt, pocketverifier.Options{})
	if err != nil {
		log.Fatal(err)
	}

	line := overlay.Solid{Picture: overlay.HorizonLine{Row: 0.3}}
	adapter, err := dualprocess.Distill(ctx, dualprocess.Task{
		Runtime: rt, Generator: generator, Verifier: verifier,
		Prompts:   []string{"a sea at sunset"},
		Questions: []dualprocess.Question{{Text: "Is the horizon on the red line?", Answer: "Yes", Overlay: line}},
		Adapter:   lora.Config{Rank: 8, Init: lora.FanIn},
		Weight:    1,
		Batch:     6,
		Drift:     0.03, // keeps the pictures pictures
		Progress:  func(u dualprocess.Update) { log.Printf("%d/%d P(Yes) %.2f", u.Number, u.Total, u.MeanP) },
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := adapter.Save("horizon.safetensors", lora.SaveOptions{}); err != nil {
		log.Fatal(err)
	}

	images, err := dualprocess.Sample(ctx, rt, generator, "a desert at night", // a prompt that it did not train with
		dualprocess.SampleOptions{Adapter: adapter, Seeds: []int64{1, 2, 3, 4}})
	if err != nil {
		log.Fatal(err)
	}
	log.Println(len(images), "pictures with the horizon at 0.3 of the height")
}

// Models in Hugging Face's layout are opened by their folder.
func Example_folders() {
	ctx := context.Background()
	rt, err := backends.Open(ctx, backends.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer rt.Close()
	flux, err := generator.Open(ctx, rt, "FLUX.1-schnell", generator.Options{})
	if err != nil {
		log.Fatal(err)
	}
	qwen, err := verifier.Open(ctx, rt, "Qwen2.5-VL-7B-Instruct", verifier.Options{})
	if err != nil {
		log.Fatal(err)
	}

	line := overlay.Solid{Picture: overlay.HorizonLine{Row: 0.3}}
	adapter, err := dualprocess.Distill(ctx, dualprocess.Task{
		Runtime: rt, Generator: flux, Verifier: qwen,
		Prompts:   []string{"a photo of a wheat field"},
		Questions: []dualprocess.Question{{Text: "Is the horizon aligned with the red line?", Answer: "Yes", Overlay: line}},
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := adapter.Save("horizon.safetensors", lora.SaveOptions{}); err != nil {
		log.Fatal(err)
	}
}
