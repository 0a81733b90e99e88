package dualprocess

import (
	"math"
	"math/rand/v2"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
)

// The statistics by the graph are those of loops over the pixels.
func TestStatistics(t *testing.T) {
	const height, width, pictures = 5, 70, 3
	random := rand.New(rand.NewPCG(1, 2))
	flat := make([]float32, pictures*height*width*3)
	for k := range flat {
		flat[k] = float32(random.Float64()*1.4 - .2) // beyond [0, 1], too
	}
	for k := range height * width * 3 {
		flat[k] = .3 // of one colour
	}
	exec, err := graphs.NewExecutor(golden.Runtime(t), func(in []*Node) []*Node { return statistics(&cursor{in}) })
	require.NoError(t, err)
	defer exec.Finalize()
	out, err := exec.Call(tensors.FromFlatDataAndDimensions(flat, pictures, height, width, 3))
	require.NoError(t, err)

	values := tensors.MustCopyFlatData[float32](out[0])
	assert.Equal(t, []int{pictures, height, width / 2, 3}, out[1].Shape().Dimensions)
	jobs := []job{{1, 0}, {2, 1}, {3, 0}}
	rows := rowsOf(flat, pictures)
	for k, row := range rows {
		dark, edges, entropy := byHand(row, height, width)
		assert.InDelta(t, dark, values[k], 1e-5)
		assert.InDelta(t, edges, values[pictures+k], 1e-5)
		assert.InDelta(t, entropy, values[2*pictures+k], 1e-4)
	}
	var g gallery
	require.NoError(t, g.add(out, jobs))
	sum, n := 0.0, 0.0
	for p := range height * width {
		if p%width%2 == 0 {
			for c := range 3 {
				a, b := clamp(rows[0][p*3+c]), clamp(rows[2][p*3+c])
				sum += math.Abs(a-b) / 2 // standard deviation of two
				n++
			}
		}
	}
	assert.InDelta(t, sum/n, g.statistics().Spread, 1e-6)
}

func clamp(x float32) float64 { return float64(min(max(x, 0), 1)) }

func byHand(p []float32, height, width int) (dark, edges, entropy float64) {
	brightness := func(y, x int) float64 {
		k := (y*width + x) * 3
		return (clamp(p[k]) + clamp(p[k+1]) + clamp(p[k+2])) / 3
	}
	colours, n := map[[3]int]float64{}, float64(height*width)
	for y := range height {
		for x := range width {
			if brightness(y, x) < .15 {
				dark += 1 / n
			}
			var c [3]int
			for k := range c {
				c[k] = min(int(clamp(p[(y*width+x)*3+k])*4), 3)
			}
			colours[c] += 1 / n
			if y < height-1 && x < width-1 {
				here := brightness(y, x)
				if math.Abs(brightness(y+1, x)-here) > .1 || math.Abs(brightness(y, x+1)-here) > .1 {
					edges += 1 / float64((height-1)*(width-1))
				}
			}
		}
	}
	for _, f := range colours {
		entropy -= f * math.Log2(f)
	}
	return dark, edges, entropy
}

func TestBroken(t *testing.T) {
	before := Statistics{Dark: .1, Edges: .2, Entropy: 3, Spread: .1}
	bounds := Bounds{Dark: .2, Edges: 2, Entropy: 1, Spread: 2}
	for name, c := range map[string]struct {
		after Statistics
		want  []string
	}{
		"the same":   {before, nil},
		"at bounds":  {Statistics{Dark: .3, Edges: .4, Entropy: 4, Spread: .05}, nil},
		"dark":       {Statistics{Dark: .4, Edges: .2, Entropy: 3, Spread: .1}, []string{"the share of dark pixels went from 0.1 to 0.4"}},
		"edges gone": {Statistics{Dark: .1, Entropy: 3, Spread: .1}, []string{"the density of edges went from 0.2 to 0"}},
		"colours":    {Statistics{Dark: .1, Edges: .2, Entropy: 1.9, Spread: .1}, []string{"the entropy of the colours went from 3 to 1.9"}},
		"all alike":  {Statistics{Dark: .1, Edges: .2, Entropy: 3, Spread: .04}, []string{"the spread among seeds went from 0.1 to 0.04"}},
		"unknown": {Statistics{Dark: math.NaN(), Edges: .2, Entropy: 3, Spread: math.NaN()}, []string{
			"the share of dark pixels went from 0.1 to NaN", "the spread among seeds went from 0.1 to NaN"}},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, bounds.broken(before, c.after))
			assert.Empty(t, Bounds{}.broken(before, c.after), "no bounds")
		})
	}
}
