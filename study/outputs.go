package study

import (
	"context"
	"image"
	"iter"
)

// outputs are the pictures that a row of Table 1 makes of all prompts and seeds.
func (s *Commonsense) outputs(ctx context.Context, b *Bench, row string) iter.Seq2[image.Image, error] {
	return func(yield func(image.Image, error) bool) {
		defer b.close()
		for k, rule := range s.Rules {
			for side := range rule.Sides {
				images, err := s.output(ctx, b, row, k, side)
				if err != nil {
					yield(nil, err)
					return
				}
				for _, img := range images {
					if !yield(img, nil) {
						return
					}
				}
			}
		}
	}
}

// output makes the pictures of one prompt.
func (s *Commonsense) output(ctx context.Context, b *Bench, row string, k, side int) ([]image.Image, error) {
	prompt, adapter, err := s.method(ctx, b, row, k, side)
	if err != nil {
		return nil, err
	}
	return b.Pictures(ctx, s.Task, prompt, s.Seeds, adapter)
}
