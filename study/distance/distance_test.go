package distance_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/study/distance"
)

// published is a case of testdata/distances.json, which testdata/make.py wrote.
type published struct {
	Name         string
	Counts       [2]int
	Width        int
	Scale, Shift float64
	Unit         bool
	CMMD         float64
	PytorchFID   float64 `json:"pytorch_fid"`
	Torchmetrics float64
	Exact        float64
}

// features are those of make.py.
func features(count, width int, seed uint64, scale, shift float64, unit bool) [][]float64 {
	out := make([][]float64, count)
	for k := range out {
		out[k] = make([]float64, width)
		var squares float64
		for j := range width {
			total := 0.
			for range 4 {
				seed = seed*6364136223846793005 + 1442695040888963407
				total += float64(seed>>11) / (1 << 53)
			}
			out[k][j] = (total-2)*scale/float64(1+j) + shift
			squares += out[k][j] * out[k][j]
		}
		for j := range out[k] {
			if unit {
				out[k][j] /= math.Sqrt(squares)
			}
		}
	}
	return out
}

func (p published) sets() (x, y [][]float64) {
	return features(p.Counts[0], p.Width, 1, 1, 0, p.Unit), features(p.Counts[1], p.Width, 2, p.Scale, p.Shift, p.Unit)
}

// TestPublished compares with what published implementations say of the same features.
func TestPublished(t *testing.T) {
	data, err := os.ReadFile("testdata/distances.json")
	require.NoError(t, err)
	var cases []published
	require.NoError(t, json.Unmarshal(data, &cases))
	require.NotEmpty(t, cases)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			x, y := c.sets()
			fid, err := distance.FID(x, y)
			require.NoError(t, err)
			cmmd, err := distance.CMMD(x, y)
			require.NoError(t, err)
			assert.InEpsilon(t, c.CMMD, cmmd, 1e-9)
			assert.InEpsilon(t, c.Exact, fid, 1e-12)
			assert.InEpsilon(t, c.PytorchFID, fid, 1e-7) // the file says why no better where there are few vectors
			assert.InEpsilon(t, c.Torchmetrics, fid, 1e-7)
		})
	}
}

// TestProperties: both distances are symmetric, do not see the order, and are 0 from a
// set to itself; and a mean that is moved adds its square to FID, and nothing else.
func TestProperties(t *testing.T) {
	x, y := features(600, 5, 3, 1, 0, false), features(300, 5, 4, 1, .2, false)
	turned := append(append([][]float64{}, x[100:]...), x[:100]...)
	moved := make([][]float64, len(x))
	for k, row := range x {
		moved[k] = append([]float64{row[0] + 3}, row[1:]...)
	}
	for name, measure := range map[string]func(x, y [][]float64) (float64, error){"CMMD": distance.CMMD, "FID": distance.FID} {
		t.Run(name, func(t *testing.T) {
			of := func(a, b [][]float64) float64 {
				d, err := measure(a, b)
				require.NoError(t, err)
				return d
			}
			require.Positive(t, of(x, y))
			require.InEpsilon(t, of(x, y), of(y, x), 1e-9)
			require.InEpsilon(t, of(x, y), of(turned, y), 1e-9)
			require.InDelta(t, 0, of(x, turned), 1e-9)
			if name == "FID" {
				require.InEpsilon(t, 9, of(x, moved), 1e-9)
			}
			require.Equal(t, of(x, y), of(x, y), "arguments are not changed")
		})
	}
}

func TestRefused(t *testing.T) {
	good := [][]float64{{1, 2}, {3, 5}}
	for name, test := range map[string]struct {
		bad  [][]float64
		want error
		says string
	}{
		"none":     {nil, distance.ErrFeatures, "0 vectors"},
		"one":      {[][]float64{{1, 2}}, distance.ErrFeatures, "1 vectors"},
		"empty":    {[][]float64{{}, {}}, distance.ErrFeatures, "0 numbers"},
		"ragged":   {[][]float64{{1, 2}, {1}}, distance.ErrFeatures, "vector 1 has 1 numbers"},
		"other":    {[][]float64{{1}, {2}}, distance.ErrFeatures, "of 2 and of 1"},
		"NaN":      {[][]float64{{1, 2}, {1, math.NaN()}}, dualprocess.ErrNotFinite, "number 1 of vector 1"},
		"infinite": {[][]float64{{1, 2}, {math.Inf(-1), 2}}, dualprocess.ErrNotFinite, "number 0 of vector 1"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, measure := range []func(x, y [][]float64) (float64, error){distance.CMMD, distance.FID} {
				_, err := measure(good, test.bad)
				require.ErrorIs(t, err, test.want)
				_, err = measure(test.bad, good)
				require.ErrorIs(t, err, test.want)
				if name != "other" {
					require.ErrorContains(t, err, test.says)
				}
			}
		})
	}
}
