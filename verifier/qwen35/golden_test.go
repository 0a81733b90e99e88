package qwen35

import (
	"testing"

	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/vlm/qwen"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
)

const nameInFixtures = "qwen3_5"

// TestGolden compares everything that the fixtures hold about Qwen3.5.
func TestGolden(t *testing.T) {
	vlmtest.Golden(t, vlmtest.Model{Name: nameInFixtures, Open: open, Whole: grids})
}

// own is what this folder gave a verifier.
func own(v *vlm.Verifier) *network { return vlm.Pieces(v).Model.(*network) }

// grids returns the grid of patches, and where each of them stands.
func grids(x vlmtest.Case) map[string][]int32 {
	p := own(x.Verifier).config.Pictures
	size, err := p.Target(x.Size)
	if err != nil {
		panic(err)
	}
	var places []int32
	for row := range size.Height / p.Unit() {
		for col := range size.Width / p.Unit() {
			for _, place := range qwen.Places(row, col, p.Merge) {
				places = append(places, int32(place[0]), int32(place[1]))
			}
		}
	}
	return map[string][]int32{
		"image_grid_thw":      {1, int32(size.Height / p.Patch), int32(size.Width / p.Patch)},
		"vision_position_ids": places,
	}
}
