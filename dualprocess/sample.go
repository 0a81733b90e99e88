package dualprocess

import (
	"context"
	"image"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/lora"
)

// SampleOptions say how pictures are made. The zero value makes one picture of
// seed 0 by the base model.
type SampleOptions struct {
	Adapter  *lora.Adapter // nil = the base model
	Weight   *float64      // of the adapter; nil = that of its training, new(0.0) is the base model
	Seeds    []int64       // one picture each; nil = seed 0
	Negative string        // what guidance leads away from, by a Guider; "" = what the generator's options say
	Batch    int           // pictures at once on the device; 0 = 1
}

// Sample makes one picture per seed from a prompt, in all the generator's steps.
// The pictures are of type *image.NRGBA, clamped to 8 bits.
//
// It frees the generator's text encoders once the prompt is encoded, and keeps nothing
// but the compiled programs: to make pictures again and again, keep a Sampler.
//
// Errors wrap ErrTask for an argument or option that is wrong, ErrPrompt for words
// that the generator does not know, and ErrNotFinite for a pixel that is no number;
// or they are the context's or the generator's.
func Sample(ctx context.Context, rt *backends.Runtime, g Generator, prompt string, o SampleOptions) (images []image.Image, err error) {
	defer named(&err)
	if err := checkContext(ctx); err != nil {
		return nil, err
	}
	s, err := newSampler(rt, g, SamplerOptions{Batch: o.Batch})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.sample(ctx, Request{Prompt: prompt, Seeds: o.Seeds, Adapter: o.Adapter, Weight: o.Weight, Negative: o.Negative})
}
