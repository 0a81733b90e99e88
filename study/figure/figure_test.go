package figure_test

import (
	"image/png"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/study"
	"github.com/dualprocess/dualprocess-go/study/figure"
)

func bars() *study.Figure {
	return &study.Figure{Title: "Bars", Y: "%", Names: []string{"a", "b"}, Series: []study.Series{
		{Name: "one", Y: []study.Interval{{Mean: 1, Low: .5, High: 1.5, Units: 3}, {Mean: 3, Low: 2, High: 4, Units: 3}}},
		{Name: "two", Y: []study.Interval{{Mean: 2, Low: 2, High: 2, Units: 1}, {Mean: study.Number(math.NaN())}}},
	}}
}

func lines() *study.Figure {
	return &study.Figure{Title: "Lines", X: "share", Y: "gain", Series: []study.Series{
		{Name: "gain", X: []study.Number{0, 25, 50}, Y: []study.Interval{{Mean: 20, Low: 19, High: 22}, {Mean: 24, Low: 23, High: 26}, {Mean: 25, Low: 24, High: 26}}},
	}}
}

// The axes hold everything that is drawn.
func TestPlot(t *testing.T) {
	p, err := figure.Plot(bars())
	require.NoError(t, err)
	assert.Equal(t, []float64{-.5, 1.5}, []float64{p.X.Min, p.X.Max})
	assert.Zero(t, p.Y.Min)
	assert.Greater(t, p.Y.Max, 4.)

	p, err = figure.Plot(lines())
	require.NoError(t, err)
	assert.LessOrEqual(t, p.X.Min, 0.)
	assert.GreaterOrEqual(t, p.X.Max, 50.)
	assert.LessOrEqual(t, p.Y.Min, 19.)

	_, err = figure.Plot(&study.Figure{Series: []study.Series{{Name: "none"}}})
	assert.ErrorIs(t, err, figure.ErrNothing)
}

// Bars are where their series' colour is: left and right of the middle of a name.
func TestSave(t *testing.T) {
	folder := t.TempDir()
	for name, f := range map[string]*study.Figure{"bars": bars(), "lines": lines()} {
		for _, extension := range []string{".png", ".svg", ".pdf"} {
			path := filepath.Join(folder, name+extension)
			require.NoError(t, figure.Save(&study.Report{Name: name, Figure: f}, path))
			info, err := os.Stat(path)
			require.NoError(t, err)
			assert.Greater(t, info.Size(), int64(1000))
		}
	}
	f, err := os.Open(filepath.Join(folder, "bars.png"))
	require.NoError(t, err)
	defer f.Close()
	img, err := png.Decode(f)
	require.NoError(t, err)
	counts := map[[3]uint32]int{}
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			r, g, b, _ := img.At(x, y).RGBA()
			if r != g || g != b { // a colour
				counts[[3]uint32{r, g, b}]++
			}
		}
	}
	large := 0
	for _, n := range counts {
		if n > 2000 {
			large++
		}
	}
	assert.Equal(t, 2, large, "one colour for each series")

	assert.Error(t, figure.Save(&study.Report{Figure: bars()}, filepath.Join(folder, "bars.xyz")))
	assert.ErrorIs(t, figure.Save(&study.Report{}, filepath.Join(folder, "x.png")), figure.ErrNothing)
	left, err := os.ReadDir(folder)
	require.NoError(t, err)
	assert.Len(t, left, 6, "nothing half made is left")
}
