// Package figure draws what package study has measured: bars or lines with their
// intervals, as PNG, SVG or PDF. It is a module of its own, so that the library does not
// depend on gonum's plot and what that needs.
//
//	report, err := study.Read("out/table4/table4.json")
//	err = figure.Save(report, "table4.svg")
package figure

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"

	"github.com/dualprocess/dualprocess-go/study"
)

// ErrNothing says that a report has nothing to draw.
var ErrNothing = errors.New("there is nothing to draw")

// Size of a figure.
const (
	width  = 18 * vg.Centimeter
	height = 11 * vg.Centimeter
	group  = .8 // share of the place along x that the bars of a name take
)

// Save draws a report's figure into a file, whose extension says how: .png, .svg, .pdf,
// .eps, .jpg or .tif. The file is whole or absent.
func Save(r *study.Report, path string) error {
	if r.Figure == nil {
		return fmt.Errorf("figure: %s: %w", r.Name, ErrNothing)
	}
	p, err := Plot(r.Figure)
	if err != nil {
		return err
	}
	writer, err := p.WriterTo(width, height, strings.TrimPrefix(filepath.Ext(path), "."))
	if err != nil {
		return fmt.Errorf("figure: %s: %w", path, err)
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".figure-*")
	if err != nil {
		return fmt.Errorf("figure: %w", err)
	}
	defer os.Remove(file.Name()) // nothing, once it is renamed
	_, err = writer.WriteTo(file)
	if err = errors.Join(err, file.Chmod(0o644), file.Close()); err != nil {
		return fmt.Errorf("figure: %s: %w", path, err)
	}
	return os.Rename(file.Name(), path)
}

// Plot makes a plot of a figure, which may be changed before it is drawn.
func Plot(f *study.Figure) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = f.Title, f.X, f.Y
	p.Title.Padding = vg.Points(8)
	p.Legend.Top, p.Legend.XOffs, p.Legend.YOffs = true, -vg.Points(8), -vg.Points(4)
	p.Title.TextStyle.Font.Variant, p.Legend.TextStyle.Font.Variant = "Sans", "Sans"
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font.Variant, axis.Tick.Label.Font.Variant = "Sans", "Sans"
	}
	p.Add(plotter.NewGrid())
	drawn := 0
	for k, s := range f.Series {
		points := places(f, k)
		if len(points.XYs) == 0 {
			continue
		}
		if err := add(p, f, s, points, k); err != nil {
			return nil, fmt.Errorf("figure: %s: %w", s.Name, err)
		}
		drawn++
	}
	if drawn == 0 {
		return nil, fmt.Errorf("figure: %w", ErrNothing)
	}
	if len(f.Names) > 0 {
		p.NominalX(f.Names...)
		p.X.Min, p.X.Max = -.5, float64(len(f.Names))-.5
		p.Y.Min = math.Min(p.Y.Min, 0)
	}
	p.Y.Max += (p.Y.Max - p.Y.Min) * .06 * float64(1+drawn) // room for the legend
	return p, nil
}

// estimates are points with what their intervals reach below and above.
type estimates struct {
	plotter.XYs
	plotter.YErrors
}

// places are where the k-th series has something to show. Of bars, the series stand side
// by side around the place of a name.
func places(f *study.Figure, k int) estimates {
	var e estimates
	for i, y := range f.Series[k].Y {
		x := float64(i)
		if len(f.Names) > 0 {
			x += group * ((float64(k)+.5)/float64(len(f.Series)) - .5)
		} else if i < len(f.Series[k].X) {
			x = float64(f.Series[k].X[i])
		}
		if mean := float64(y.Mean); !math.IsNaN(mean) && !math.IsNaN(x) {
			e.XYs = append(e.XYs, plotter.XY{X: x, Y: mean})
			e.YErrors = append(e.YErrors, struct{ Low, High float64 }{mean - float64(y.Low), float64(y.High) - mean})
		}
	}
	return e
}

// add draws one series.
func add(p *plot.Plot, f *study.Figure, s study.Series, e estimates, k int) error {
	bars, err := plotter.NewYErrorBars(e)
	if err != nil {
		return err
	}
	colour := plotutil.Color(k)
	if len(f.Names) == 0 {
		line, points, err := plotter.NewLinePoints(e.XYs)
		if err != nil {
			return err
		}
		line.Color, points.Color, bars.Color = colour, colour, colour
		p.Add(line, points, bars)
		p.Legend.Add(s.Name, line, points)
		return nil
	}
	half := group / float64(len(f.Series)) / 2 * .92
	var thumb plot.Thumbnailer
	for _, at := range e.XYs {
		bar, err := plotter.NewPolygon(plotter.XYs{{X: at.X - half, Y: 0}, {X: at.X + half, Y: 0}, {X: at.X + half, Y: at.Y}, {X: at.X - half, Y: at.Y}})
		if err != nil {
			return err
		}
		bar.Color, bar.LineStyle.Width = colour, 0
		p.Add(bar)
		thumb = bar
	}
	p.Add(bars)
	p.Legend.Add(s.Name, thumb)
	return nil
}
