package dualprocessgo_test

import (
	"context"
	"log"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/generator"
	"github.com/dualprocess/dualprocess-go/lora"
	"github.com/dualprocess/dualprocess-go/overlay"
	"github.com/dualprocess/dualprocess-go/verifier"
)

// Models in Hugging Face's layout are opened by their folder, or by their repository,
// which is downloaded.
func Example_folders() {
	ctx := context.Background()
	rt, err := backends.Open(ctx, backends.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer rt.Close()
	klein, err := generator.Open(ctx, rt, "black-forest-labs/FLUX.2-klein-4B", generator.Options{})
	if err != nil {
		log.Fatal(err)
	}
	qwen, err := verifier.Open(ctx, rt, "Qwen/Qwen3-VL-4B-Instruct", verifier.Options{})
	if err != nil {
		log.Fatal(err)
	}

	line := overlay.Solid{Picture: overlay.HorizonLine{Row: 0.3}}
	adapter, err := dualprocess.Distill(ctx, dualprocess.Task{
		Runtime: rt, Generator: klein, Verifier: qwen,
		Prompts:   []string{"a photo of a wheat field", "a photo of the sea", "a photo of a desert road", "a photo of a snowy plain"},
		Questions: []dualprocess.Question{{Text: "Is the horizon aligned with the red line?", Answer: "Yes", Overlay: line}},
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := adapter.Save("horizon.safetensors", lora.SaveOptions{}); err != nil {
		log.Fatal(err)
	}
}
