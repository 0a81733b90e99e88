package dualprocessgo_test

import (
	"context"
	"fmt"
	"log"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	pocketgenerator "github.com/dualprocess/dualprocess-go/generator/pocket"
	"github.com/dualprocess/dualprocess-go/lora"
	"github.com/dualprocess/dualprocess-go/overlay"
	pocketverifier "github.com/dualprocess/dualprocess-go/verifier/pocket"
)

// The embedded pocket models learn to put the horizon on a red line, and are tried
// on prompts and seeds that they never saw. They need no download of weights and no
// GPU. examples/horizon is this with pictures, and measures where the horizon lies
// without asking the verifier.
func Example() {
	if err := teachHorizon(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func teachHorizon(ctx context.Context) error {
	rt, err := backends.Open(ctx, backends.Options{})
	if err != nil {
		return err
	}
	defer rt.Close()
	generator, err := pocketgenerator.Open(ctx, rt, pocketgenerator.Options{})
	if err != nil {
		return err
	}
	verifier, err := pocketverifier.Open(ctx, rt, pocketverifier.Options{})
	if err != nil {
		return err
	}

	line := overlay.Solid{Picture: overlay.HorizonLine{Row: 0.3}}
	questions := []dualprocess.Question{{Text: "Does the horizon lie on the red line?", Answer: "Yes", Overlay: line}}
	adapter, err := dualprocess.Distill(ctx, dualprocess.Task{
		Runtime: rt, Generator: generator, Verifier: verifier, Questions: questions,
		Prompts: []string{"a meadow by day", "a desert by day with a tree", "a sea at sunset", "a snowfield by day with a house"},
		Adapter: lora.Config{Rank: 8, Init: lora.FanIn}, Weight: 1, LearningRate: 3e-3, Batch: 10,
		EndStep:  6,   // where the horizon lies is settled early
		Drift:    0.1, // keeps the pictures pictures
		Progress: func(u dualprocess.Update) { fmt.Printf("\r%d/%d  P(Yes) %.2f", u.Number, u.Total, u.MeanP) },
	})
	if err != nil {
		return err
	}
	if err := adapter.Save("horizon.safetensors", lora.SaveOptions{}); err != nil {
		return err
	}

	return compare(ctx, dualprocess.Evaluation{
		Runtime: rt, Generator: generator, Verifier: verifier, Questions: questions, Adapter: adapter,
		Prompts: []string{"a meadow at sunset with a house", "a sea at night"}, Seeds: []int64{1, 2, 3, 4, 5, 6, 7, 8}, Batch: 16,
	})
}

// compare prints how sure the verifier is of pictures without and with the adapter.
func compare(ctx context.Context, e dualprocess.Evaluation) error {
	ratings, err := dualprocess.Evaluate(ctx, e)
	if err != nil {
		return err
	}
	before, after := dualprocess.MeanP(ratings, 0), dualprocess.MeanP(ratings, e.Adapter.Weight())
	fmt.Printf("\n16 pictures of unseen prompts and seeds: P(Yes) %.2f before, %.2f after\n", before, after)
	return nil
}
