package main

import (
	"fmt"
	"image"
	"image/draw"
	"path/filepath"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/examples/internal/show"
	"github.com/dualprocess/dualprocess-go/overlay"
	"github.com/dualprocess/dualprocess-go/study"
)

// compared sets the pictures of either way beside those of the base model, what was
// carried over farthest first. There are none of a way that has not been measured.
func compared(folder string, r *study.Report) ([]show.Group, error) {
	before := r.Where(study.Before, "")
	var groups []show.Group
	for _, way := range []string{study.ByWeights, study.ByLatents} {
		after := r.Where(way, "")
		if len(before) == 0 || len(after) == 0 {
			continue
		}
		for _, name := range []string{study.UnseenPrompts, study.UnseenSeeds, study.OwnSeeds} {
			g := show.Group{Name: fmt.Sprintf("%s: %s", way, name)}
			for weight, samples := range [][]study.Sample{before[0].Samples, after[0].Samples} {
				ratings, err := ratingsOf(folder, name, samples, float64(weight))
				if err != nil {
					return nil, err
				}
				g.Ratings = append(g.Ratings, ratings...)
			}
			groups = append(groups, g)
		}
	}
	return groups, nil
}

// ratingsOf are the samples of a group as ratings, with the pictures that were kept.
func ratingsOf(folder, group string, samples []study.Sample, weight float64) ([]dualprocess.Rating, error) {
	var ratings []dualprocess.Rating
	for _, s := range samples {
		if s.Group != group {
			continue
		}
		img, err := overlay.Open(filepath.Join(folder, filepath.FromSlash(s.Picture)))
		if err != nil {
			return nil, err
		}
		picture := image.NewNRGBA(img.Bounds())
		draw.Draw(picture, picture.Rect, img, picture.Rect.Min, draw.Src)
		ratings = append(ratings, dualprocess.Rating{
			Prompt: s.Prompt, Seed: s.Seed, Weight: weight, P: []float64{float64(s.Values[study.Certainty])}, Image: picture,
		})
	}
	return ratings, nil
}
