package idefics2

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
)

// own is what this folder gave a verifier.
func own(v *vlm.Verifier) *network { return vlm.Pieces(v).Model.(*network) }

// TestGolden compares everything that the fixtures hold about Idefics2.
func TestGolden(t *testing.T) {
	vlmtest.Golden(t, vlmtest.Model{
		Name: name, Open: open,
		Whole: func(x vlmtest.Case) map[string][]int32 {
			m := own(x.Verifier)
			return map[string][]int32{"vision_position_ids": positions(m.grid(x.Size), m.config.Vision.side())}
		},
	})
}

// TestGoldenBuckets compares the places of patches along one edge, for many counts
// of patches and of places, to the last rounding.
func TestGoldenBuckets(t *testing.T) {
	found := false
	for _, f := range golden.Fixtures(t, golden.Verifier) {
		data, err := os.ReadFile(f.Path("position_buckets.json"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		require.NoError(t, err)
		found = true
		var file struct {
			Table map[string]map[string][]int32
		}
		require.NoError(t, json.Unmarshal(data, &file))
		for side, rows := range file.Table {
			for patches, want := range rows {
				s, err := strconv.Atoi(side)
				require.NoError(t, err)
				n, err := strconv.Atoi(patches)
				require.NoError(t, err)
				require.Equal(t, want, buckets(n, s), "%d patches over %d places", n, s)
			}
		}
	}
	require.True(t, found)
}
