package qwen3vl

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/vlm/qwen"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
)

const nameInFixtures = "qwen3_vl"

// TestGolden compares everything that the fixtures hold about Qwen3-VL.
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

// TestPublishedSizes compares what becomes of pictures with the published limits.
func TestPublishedSizes(t *testing.T) {
	type rule struct {
		Size struct {
			Longest  int `json:"longest_edge"`
			Shortest int `json:"shortest_edge"`
		}
		Table []struct{ In, Out []int }
	}
	for _, f := range golden.Fixtures(t, golden.Verifier) {
		var about struct{ Name string }
		if f.Decode(t, &about); about.Name != nameInFixtures || f.Variant() != "" {
			continue
		}
		var official struct {
			Published rule `json:"size_rule_published"`
		}
		f.Beside(t, "official").Decode(t, &official)
		r := official.Published
		require.NotEmpty(t, r.Table)
		p := qwen.Pictures{Patch: 16, Merge: 2, MinPixels: &r.Size.Shortest, MaxPixels: &r.Size.Longest}
		for _, row := range r.Table {
			got, err := p.Target(vision.Size{Height: row.In[0], Width: row.In[1]})
			require.NoError(t, err)
			require.Equal(t, vision.Size{Height: row.Out[0], Width: row.Out[1]}, got, row.In)
		}
	}
}
