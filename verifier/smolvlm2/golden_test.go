package smolvlm2

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
)

// own is what this folder gave a verifier.
func own(v *vlm.Verifier) *network { return vlm.Pieces(v).Model.(*network) }

// TestGolden compares everything that the fixtures hold about SmolVLM2.
func TestGolden(t *testing.T) {
	vlmtest.Golden(t, vlmtest.Model{
		Name: name, Open: open,
		Whole: func(x vlmtest.Case) map[string][]int32 {
			m := own(x.Verifier)
			n := m.config.patches()
			places := m.config.Vision.places(vision.Size{Height: n, Width: n})
			return map[string][]int32{"vision_position_ids": slices.Repeat(places, m.view(x.Size).tiles())}
		},
	})
}

// TestGoldenGrids compares the rules of sizes with all limits that the fixtures know,
// the published ones among them.
func TestGoldenGrids(t *testing.T) {
	type rule struct{ In, First, Out []int }
	found := 0
	for _, f := range golden.Fixtures(t, golden.Verifier) {
		var about struct{ Name string }
		if f.Decode(t, &about); about.Name != name || f.Variant() != "" {
			continue
		}
		var file struct {
			Published struct {
				Size  edge
				Table []rule
			} `json:"size_rule_published"`
			Splits []struct {
				Longest int `json:"longest_edge"`
				Tile    int `json:"max_image_size"`
				Table   []struct {
					rule
					Rows, Cols int
				}
			} `json:"split_rule"`
		}
		f.Beside(t, "official").Decode(t, &file)
		size := func(edges []int) vision.Size { return vision.Size{Height: edges[0], Width: edges[1]} }
		for _, r := range file.Published.Table {
			require.Equal(t, size(r.Out), pictureConfig{Size: file.Published.Size}.fit(size(r.In)), r.In)
			found++
		}
		for _, split := range file.Splits {
			m := &network{split: true, config: modelConfig{Picture: pictureConfig{Size: edge{split.Longest}, Tile: edge{split.Tile}}}}
			for _, r := range split.Table {
				want := view{[]vision.Size{size(r.First), size(r.Out)}, vision.Size{Height: r.Rows, Width: r.Cols}}
				require.Equal(t, want, m.view(size(r.In)), r.In)
				found++
			}
		}
	}
	require.NotZero(t, found)
}

// TestGoldenPlaces compares the places of patches along one edge.
func TestGoldenPlaces(t *testing.T) {
	found := 0
	for _, f := range golden.Fixtures(t, golden.Verifier) {
		var about struct{ Name string }
		if f.Decode(t, &about); about.Name != name {
			continue
		}
		var file struct {
			Table map[int]map[int][]int32
		}
		require.NoError(t, json.Unmarshal(f.Model(t, ".")["position_buckets.json"].Data, &file))
		for side, rows := range file.Table {
			for patches, want := range rows {
				got := visionConfig{ImageSize: side, PatchSize: 1}.places(vision.Size{Height: 1, Width: patches})
				require.Equal(t, want, got, "%d patches over %d places", patches, side)
				found++
			}
		}
	}
	require.NotZero(t, found)
}
