package vision

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPixtralSize has bounds and patches that are not the published ones.
func TestPixtralSize(t *testing.T) {
	for _, test := range []struct {
		rule     PixtralSize
		unit     int
		from, to Size
	}{
		{PixtralSize{Longest: 100}, 14, Size{Height: 50, Width: 200}, Size{Height: 28, Width: 112}},
		{PixtralSize{Height: 50, Width: 200}, 10, Size{Height: 100, Width: 201}, Size{Height: 50, Width: 100}},
		{PixtralSize{Longest: 100}, 16, Size{Height: 1, Width: 3000}, Size{Height: 0, Width: 112}},
	} {
		require.Equal(t, test.to, test.rule.Target(test.from, test.unit))
	}
}

// TestPixtralRotary has an odd number of frequencies: the row has one more than the
// column.
func TestPixtralRotary(t *testing.T) {
	c := PixtralConfig{Hidden: 20, Heads: 2, Theta: new(32.)}
	r := c.rotary(Size{Height: 2, Width: 3})
	require.Len(t, r.Cos, 6)
	for i, angle := range []float64{1, 0.25, 0.0625, 1, 0.25} { // 32^(-k/5) for k = 0, 2, 4; 1, 3, at row 1, column 2
		if i >= 3 {
			angle = []float64{0.5, 0.125}[i-3] * 2
		}
		require.InDelta(t, math.Sin(angle), r.Sin[5][i], 1e-6, i)
	}
}
