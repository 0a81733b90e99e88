package idefics2

import (
	_ "embed"
	"encoding/json"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
)

// splitJSON holds what transformers (5.23, and 4.50) computes with
// do_image_splitting from the fixture's checkpoint, resized by the rule of tested,
// about vlmtest.Noise: the whole sequence with the answer, −log P(Yes), and of its
// gradient by the picture the norm, the product with the picture less a half, and
// the norms of the quarters.
//
//go:embed testdata/split.json
var splitJSON []byte

func TestSplit(t *testing.T) {
	var cases []struct {
		Height, Width int
		IDs           []int
		Loss          float64
		GradientNorm  float64   `json:"gradient_norm"`
		GradientSum   float64   `json:"gradient_sum"`
		QuarterNorms  []float64 `json:"quarter_norms"`
	}
	require.NoError(t, json.Unmarshal(splitJSON, &cases))
	require.NotEmpty(t, cases)
	rt := golden.Plain(t)
	v := tested().Opened(t, rt, vlm.Options{Split: true}, tested().Change)
	for _, c := range cases {
		size := vision.Size{Height: c.Height, Width: c.Width}
		t.Run(size.String(), func(t *testing.T) {
			ids := vlmtest.Asked(t, v, dualprocess.Question{Text: "Is it?", Answer: "Yes"}, size)
			require.Equal(t, c.IDs, ids)

			got := vlmtest.RateNoise(t, rt, v, size)
			assert.InEpsilon(t, c.Loss, float64(got.Floats(t, "loss")[0]), 1e-5)
			gradient, picture := got.Floats(t, "gradient"), tensors.MustCopyFlatData[float32](vlmtest.Noise(size))
			assert.InEpsilon(t, c.GradientNorm, vlmtest.Norm(gradient), 1e-4)
			sum, quarters := 0., [4][]float32{}
			for i, g := range gradient {
				sum += float64(g) * (float64(picture[i]) - 0.5)
				quarter := 0
				if i/3/c.Width >= c.Height/2 {
					quarter = 2
				}
				if i/3%c.Width >= c.Width/2 {
					quarter++
				}
				quarters[quarter] = append(quarters[quarter], g)
			}
			assert.InDelta(t, c.GradientSum, sum, 1e-4*c.GradientNorm)
			for k, want := range c.QuarterNorms {
				assert.InEpsilon(t, want, vlmtest.Norm(quarters[k]), 1e-4, "quarter %d", k)
			}
		})
	}
}

// TestSplitRefuses: the paper's reference splits nothing, and a row has no quarters.
func TestSplitRefuses(t *testing.T) {
	rt, files := golden.Plain(t), vlmtest.Files(t, name)
	_, err := OpenFS(t.Context(), rt, files, Options{Split: true, Paper: true})
	require.ErrorIs(t, err, ErrOptions)
	require.ErrorContains(t, err, "Split")
	vlmtest.TestPictures(t, tested().Opened(t, rt, vlm.Options{Split: true}), map[vision.Size]bool{
		{Height: 2, Width: 2}: true, {Height: 1, Width: 40}: false, {Height: 40, Width: 1}: false, {Height: 5, Width: 9000}: true,
	})
}
