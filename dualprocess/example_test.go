package dualprocess_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"sync"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/lora"
)

// models opens a runtime with the toy generator and verifier of this package's
// tests, which stand for any others.
func models(ctx context.Context) (*backends.Runtime, dualprocess.Generator, dualprocess.Verifier) {
	rt, err := backends.Open(ctx, backends.Options{Backend: "go"})
	if err != nil {
		log.Fatal(err)
	}
	g, err := newToyGenerator(rt)
	if err != nil {
		log.Fatal(err)
	}
	return rt, g, &toyVerifier{}
}

func Example() {
	ctx := context.Background()
	rt, g, v := models(ctx)
	defer rt.Close()

	red := []dualprocess.Question{{Text: "red", Answer: "Yes"}}
	adapter, err := dualprocess.Distill(ctx, dualprocess.Task{
		Runtime: rt, Generator: g, Verifier: v,
		Prompts: []string{"sea"}, Questions: red,
		Updates: 40, LearningRate: .01, // the toy is quick to learn
	})
	if err != nil {
		log.Fatal(err)
	}
	ratings, err := dualprocess.Evaluate(ctx, dualprocess.Evaluation{
		Runtime: rt, Generator: g, Verifier: v, Adapter: adapter, Questions: red,
		Prompts: []string{"meadow", "desert"}, Seeds: []int64{1001, 1002, 1003, 1004}, // all new to it
	})
	if err != nil {
		log.Fatal(err)
	}
	before, after := dualprocess.MeanP(ratings, 0), dualprocess.MeanP(ratings, adapter.Weight())
	fmt.Println(len(ratings), "pictures; better by more than 0.2:", after > before+.2)
	// Output: 16 pictures; better by more than 0.2: true
}

func ExampleDistill() {
	ctx := context.Background()
	rt, g, v := models(ctx)
	defer rt.Close()

	adapter, err := dualprocess.Distill(ctx, dualprocess.Task{
		Runtime: rt, Generator: g, Verifier: v,
		Prompts:      []string{"sea"},
		Questions:    []dualprocess.Question{{Text: "red", Answer: "Yes"}},
		Adapter:      lora.Config{Rank: 4, Targets: []string{"out"}},
		LearningRate: .01, Updates: 60, Batch: 4,
		Drift:    .01,                                                                  // stay near the base model
		Preserve: dualprocess.Preserve{Prompts: []string{"meadow"}, Weight: 1},         // and nearer still there
		StopAt:   dualprocess.StopAt{P: .6, Seeds: []int64{2001, 2002, 2003, 2004}},    // enough is enough
		Progress: func(u dualprocess.Update) { _ = u.MeanP /* draw a progress bar */ }, // after every update
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(adapter)
	// Output: 1 layers, rank 4, 64 numbers, weight 5
}

func ExampleSample() {
	ctx := context.Background()
	rt, g, _ := models(ctx)
	defer rt.Close()

	images, err := dualprocess.Sample(ctx, rt, g, "sea", dualprocess.SampleOptions{Seeds: []int64{7, 8, 9}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(images), images[0].Bounds())
	// Output: 3 (0,0)-(4,4)
}

// A Sampler serves several goroutines and adapters, whose pictures are made together.
func ExampleSampler() {
	ctx := context.Background()
	rt, g, _ := models(ctx)
	defer rt.Close()
	layers, err := dualprocess.Layers(rt, g)
	if err != nil {
		log.Fatal(err)
	}
	sampler, err := dualprocess.NewSampler(rt, g, dualprocess.SamplerOptions{Batch: 4})
	if err != nil {
		log.Fatal(err)
	}
	defer sampler.Close()
	var visitors sync.WaitGroup
	for seed := range int64(3) {
		visitors.Go(func() {
			adapter, err := lora.New(lora.Config{Rank: 4, Seed: seed}, layers)
			if err != nil {
				log.Fatal(err)
			}
			images, err := sampler.Sample(ctx, dualprocess.Request{Prompt: "sea", Adapter: adapter, Seeds: []int64{7, 8}})
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println(len(images), images[0].Bounds())
		})
	}
	visitors.Wait()
	// Output:
	// 2 (0,0)-(4,4)
	// 2 (0,0)-(4,4)
	// 2 (0,0)-(4,4)
}

// A saved adapter is read with the layers of the generator that it is for: a file
// for another generator is then an error that names the first layer that differs.
func ExampleLayers() {
	ctx := context.Background()
	rt, g, v := models(ctx)
	defer rt.Close()
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, "red.safetensors")
	train(ctx, rt, g, v, file) // one program distils an adapter and saves it,

	layers, err := dualprocess.Layers(rt, g) // another one loads it
	if err != nil {
		log.Fatal(err)
	}
	adapter, err := lora.Load(file, layers)
	if err != nil {
		log.Fatal(err)
	}
	images, err := dualprocess.Sample(ctx, rt, g, "sea", dualprocess.SampleOptions{Adapter: adapter})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(layers)
	fmt.Println(adapter)
	fmt.Println(len(images), "picture")
	// Output:
	// [mix 8→8 out 8→8]
	// 2 layers, rank 4, 128 numbers, weight 5
	// 1 picture
}

// train distils an adapter and saves it.
func train(ctx context.Context, rt *backends.Runtime, g dualprocess.Generator, v dualprocess.Verifier, file string) {
	adapter, err := dualprocess.Distill(ctx, dualprocess.Task{
		Runtime: rt, Generator: g, Verifier: v, Prompts: []string{"sea"},
		Questions: []dualprocess.Question{{Text: "red", Answer: "Yes"}},
		Adapter:   lora.Config{Rank: 4}, Updates: 5,
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := adapter.Save(file, lora.SaveOptions{}); err != nil {
		log.Fatal(err)
	}
}

func ExampleOptimizeLatents() {
	ctx := context.Background()
	rt, g, v := models(ctx)
	defer rt.Close()

	r, err := dualprocess.OptimizeLatents(ctx, dualprocess.LatentTask{
		Runtime: rt, Generator: g, Verifier: v, Prompt: "sea", Seeds: []int64{1, 2},
		Questions: []dualprocess.Question{{Text: "red", Answer: "Yes"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	for k, seed := range r.Seeds {
		fmt.Println("seed", seed, "better:", r.PAfter[k][0] > r.PBefore[k][0])
	}
	// Output:
	// seed 1 better: true
	// seed 2 better: true
}

func ExampleJudgeHacking() {
	before := dualprocess.Outcome{P: .62, Measure: -.201, Quality: 1}
	after := dualprocess.Outcome{P: .93, Measure: -.210, Quality: .4}
	for _, reason := range dualprocess.JudgeHacking(before, after, dualprocess.Tolerance{Quality: .05}).Reasons {
		fmt.Println(reason)
	}
	// Output:
	// P(answer) rose from 0.62 to 0.93 but the measurement went from -0.201 to -0.21
	// P(answer) rose from 0.62 to 0.93 but the quality fell from 1 to 0.4
}
