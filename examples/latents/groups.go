package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/examples/internal/show"
	"github.com/dualprocess/dualprocess-go/lora"
)

// ofWeights makes pictures with the adapter: of the seeds and the prompt that it
// was trained with, of fresh seeds, and of other prompts.
func ofWeights(ctx context.Context, run *show.Run, control *show.Control, adapter *lora.Adapter, own, unseen []string) ([]show.Group, error) {
	task := control.Task
	evaluation := dualprocess.Evaluation{
		Runtime: task.Runtime, Generator: task.Generator, Verifier: task.Verifier, Adapter: adapter,
		Questions: task.Questions, Prompts: own, Seeds: task.Seeds, Batch: 8, Progress: control.Watch(),
	}
	trained, err := dualprocess.Evaluate(ctx, evaluation)
	if err != nil {
		return nil, err
	}
	evaluation.Prompts, evaluation.Seeds = slices.Concat(own, unseen), run.Seeds()
	fresh, err := dualprocess.Evaluate(ctx, evaluation)
	return []show.Group{
		{Name: "weights: unseen prompts and seeds", Ratings: show.Of(fresh, unseen...)},
		{Name: "weights: unseen seeds", Ratings: show.Of(fresh, own...)},
		{Name: "weights: their own seeds", Ratings: trained},
	}, err
}

// ofLatents makes pictures with what the optimised latents give: themselves, and
// their mean offset for the same fresh seeds and other prompts.
func ofLatents(ctx context.Context, run *show.Run, task dualprocess.Task, found *dualprocess.LatentResult, own, unseen []string) ([]show.Group, error) {
	moved, err := shifted(ctx, task, found, slices.Concat(own, unseen), run.Seeds())
	if err != nil {
		return nil, err
	}
	before := show.Ratings(own[0], found.Seeds, 0, found.Before, found.PBefore)
	after := show.Ratings(own[0], found.Seeds, 1, found.After, found.PAfter)
	return []show.Group{
		{Name: "latents: their own seeds", Ratings: append(before, after...)},
		{Name: "mean offset: unseen seeds", Ratings: show.Of(moved, own...)},
		{Name: "mean offset: unseen prompts and seeds", Ratings: show.Of(moved, unseen...)},
	}, nil
}

// shifted makes pictures of fresh seeds without (weight 0) and with (weight 1) the
// mean offset of the optimised latents.
func shifted(ctx context.Context, task dualprocess.Task, found *dualprocess.LatentResult, prompts []string, seeds []int64) ([]dualprocess.Rating, error) {
	noise, err := task.Generator.Latents(seeds...)
	if err != nil {
		return nil, err
	}
	offset, err := addMeanOffset(noise, found)
	if err != nil {
		return nil, err
	}
	sampler, err := dualprocess.NewSampler(task.Runtime, task.Generator, dualprocess.SamplerOptions{Batch: len(seeds)})
	if err != nil {
		return nil, err
	}
	defer sampler.Close()
	var ratings []dualprocess.Rating
	for weight, start := range []*tensors.Tensor{noise, offset} {
		for _, prompt := range prompts {
			images, err := sampler.Render(ctx, dualprocess.Request{Prompt: prompt}, start)
			if err != nil {
				return nil, err
			}
			p, err := dualprocess.Score(ctx, task.Runtime, task.Verifier, task.Questions, images...)
			if err != nil {
				return nil, err
			}
			ratings = append(ratings, show.Ratings(prompt, seeds, float64(weight), images, p)...)
		}
	}
	return ratings, nil
}

// addMeanOffset adds to the noise of other seeds, [n, ...], what the optimisation
// added to its own on average.
func addMeanOffset(noise *tensors.Tensor, found *dualprocess.LatentResult) (*tensors.Tensor, error) {
	var values [3][]float32
	for k, t := range []*tensors.Tensor{noise, found.Initial, found.Latents} {
		var err error
		if values[k], err = tensors.CopyFlatData[float32](t); err != nil {
			return nil, fmt.Errorf("read latents: %w", err)
		}
	}
	out, initial, latents := values[0], values[1], values[2]
	size := len(initial) / len(found.Seeds) // numbers of one picture
	offset := make([]float32, size)
	for k := range initial {
		offset[k%size] += (latents[k] - initial[k]) / float32(len(found.Seeds))
	}
	for k := range out {
		out[k] += offset[k%size]
	}
	return tensors.FromFlatDataAndDimensions(out, noise.Shape().Dimensions...), nil
}
