package dualprocess_test

import (
	"context"
	"image"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/lora"
)

// timed is a generator one of whose layers gets one row for the whole batch, as the
// embeddings of time do.
type timed struct{ *toyGenerator }

func (g timed) Predict(d *lora.Delta, latents, i *Node, cond []*Node) *Node {
	prediction := g.toyGenerator.Predict(d, latents, i, cond)
	time := BroadcastToDims(Reshape(g.sigma(i), 1, 1), 1, toyLatents)
	return Add(prediction, BroadcastToDims(d.Linear("time", time, ZerosLike(time)), prediction.Shape().Dimensions...))
}

// TestLayersThatDoNotSeeTheBatch has adapters of such a layer and adapters of others.
func TestLayersThatDoNotSeeTheBatch(t *testing.T) {
	w := newToy(t, "go")
	g := timed{w.g}
	layers, err := dualprocess.Layers(w.rt, g)
	require.NoError(t, err)
	require.Len(t, layers, 3)
	var all []dualprocess.Request
	for k := range int64(8) {
		cfg := lora.Config{Rank: 2, Seed: k}
		if k%2 == 0 {
			cfg.Targets = []string{"mix", "out"}
		}
		a, err := lora.New(cfg, layers)
		require.NoError(t, err)
		a = withNumbers(t, a, func(random *rand.Rand) float32 { return float32(random.NormFloat64()) / 2 }, k)
		all = append(all, dualprocess.Request{Prompt: "sea", Seeds: []int64{k}, Adapter: a})
	}
	want := make([]image.Image, len(all))
	for k, r := range all {
		images, err := dualprocess.Sample(background, w.rt, g, r.Prompt, dualprocess.SampleOptions{Seeds: r.Seeds, Adapter: r.Adapter, Batch: 4})
		require.NoError(t, err)
		want[k] = images[0]
	}
	s, err := dualprocess.NewSampler(w.rt, g, dualprocess.SamplerOptions{Batch: 4})
	require.NoError(t, err)
	defer s.Close()
	var group sync.WaitGroup
	for k, r := range all {
		group.Go(func() {
			images, err := s.Sample(background, r)
			if assert.NoError(t, err) {
				assert.LessOrEqual(t, furthest(t, want[k], images[0]), 1)
			}
		})
	}
	group.Wait()
}

// guiding is a generator that is guided away from a second prompt, "desert" by itself.
type guiding struct {
	*toyGenerator
	scale float64
}

func (g guiding) Guides() bool { return g.scale != 0 }

func (g guiding) Encode(ctx context.Context, prompt string) (dualprocess.Inputs, error) {
	return g.EncodeGuided(ctx, prompt, "desert")
}

func (g guiding) EncodeGuided(ctx context.Context, prompt, negative string) (dualprocess.Inputs, error) {
	wanted, err := g.toyGenerator.Encode(ctx, prompt)
	if err != nil {
		return nil, err
	}
	unwanted, err := g.toyGenerator.Encode(ctx, negative)
	return append(wanted, unwanted...), err
}

func (g guiding) Conditions() []shapes.Shape {
	return slices.Repeat(g.toyGenerator.Conditions(), 2)
}

func (g guiding) Predict(d *lora.Delta, latents, i *Node, cond []*Node) *Node {
	wanted := g.toyGenerator.Predict(d, latents, i, cond[:1])
	unwanted := g.toyGenerator.Predict(d, latents, i, cond[1:])
	return Add(wanted, MulScalar(Sub(wanted, unwanted), g.scale))
}

func TestNegativePrompts(t *testing.T) {
	w := newToy(t, "go")
	_, err := dualprocess.Sample(background, w.rt, w.g, "sea", dualprocess.SampleOptions{Negative: "meadow"})
	requireMistake(t, err, "Negative")
	_, err = dualprocess.Sample(background, w.rt, guiding{w.g, 0}, "sea", dualprocess.SampleOptions{Negative: "meadow"})
	requireMistake(t, err, "Negative")

	s, err := dualprocess.NewSampler(w.rt, guiding{w.g, 2}, dualprocess.SamplerOptions{Batch: 2})
	require.NoError(t, err)
	defer s.Close()
	sample := func(negative string) image.Image {
		images, err := s.Sample(background, dualprocess.Request{Prompt: "sea", Negative: negative})
		require.NoError(t, err)
		return images[0]
	}
	require.Equal(t, sample(""), sample("desert"))
	require.NotEqual(t, sample(""), sample("meadow"))
	require.NotEqual(t, sample("sea"), sample("meadow"))
	_, err = s.Sample(background, dualprocess.Request{Prompt: "sea", Negative: "zebra"})
	require.ErrorIs(t, err, dualprocess.ErrPrompt)
}

// furious is a generator whose host methods panic.
type furious struct{ *toyGenerator }

func (f furious) Encode(ctx context.Context, prompt string) (dualprocess.Inputs, error) {
	if prompt == "meadow" {
		panic("no meadow")
	}
	return f.toyGenerator.Encode(ctx, prompt)
}

func (f furious) Latents(seeds ...int64) (*tensors.Tensor, error) {
	if slices.Contains(seeds, 13) {
		panic("unlucky")
	}
	return f.toyGenerator.Latents(seeds...)
}

func TestPanicsDoNotEndTheProcess(t *testing.T) {
	w := newToy(t, "go")
	s, err := dualprocess.NewSampler(w.rt, furious{w.g}, dualprocess.SamplerOptions{})
	require.NoError(t, err)
	defer s.Close()
	_, err = s.Sample(background, dualprocess.Request{Prompt: "meadow"})
	require.ErrorContains(t, err, "no meadow")
	_, err = s.Sample(background, dualprocess.Request{Prompt: "sea", Seeds: []int64{13}})
	require.ErrorContains(t, err, "unlucky")
	_, err = s.Sample(background, dualprocess.Request{Prompt: "sea"})
	require.NoError(t, err)
}
