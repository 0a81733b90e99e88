package scenes

import (
	"fmt"
	"math"
	"slices"
)

// Measurements work on pictures of this side; others are resampled to it.
const measured = 64

// resized averages or repeats pixels to a picture of another side.
func (p *Picture) resized(size int) *Picture {
	if p.Size == size {
		return p
	}
	out, ratio := NewPicture(size), float64(p.Size)/float64(size)
	samples := max(1, int(math.Ceil(ratio)))
	for row := 0; row < size; row++ {
		for column := 0; column < size; column++ {
			var sum RGB
			for i := 0; i < samples*samples; i++ {
				x := int((float64(column) + (float64(i%samples)+.5)/float64(samples)) * ratio)
				y := int((float64(row) + (float64(i/samples)+.5)/float64(samples)) * ratio)
				sum = sum.add(p.At(min(x, p.Size-1), min(y, p.Size-1)))
			}
			out.Set(column, row, sum.scale(1/float32(samples*samples)))
		}
	}
	return out
}

// sub returns the difference of two colours.
func (a RGB) sub(b RGB) RGB { return RGB{a[0] - b[0], a[1] - b[1], a[2] - b[2]} }

func (a RGB) dot(b RGB) float64 { return float64(a[0]*b[0] + a[1]*b[1] + a[2]*b[2]) }

func (a RGB) norm() float64 { return math.Sqrt(a.dot(a)) }

// along is where c lies between two colours: 0 at from, 1 at to.
func (a RGB) along(from, to RGB) float64 {
	d := to.sub(from)
	return a.sub(from).dot(d) / math.Max(d.dot(d), 1e-9)
}

// medianColour is the median of every channel.
func medianColour(colours []RGB) RGB {
	var m RGB
	channel := make([]float64, len(colours))
	for c := range m {
		for i, v := range colours {
			channel[i] = float64(v[c])
		}
		m[c] = float32(quantile(channel, .5))
	}
	return m
}

// quantile sorts values and returns the one at a share of them; 0 of none.
func quantile(values []float64, share float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[min(len(values)-1, int(share*float64(len(values))))]
}

// Parse returns a scene with the parts that a caption names and nothing else
// set, or an error for a text that is no caption of this world.
func Parse(caption string) (Scene, error) {
	for _, f := range Families() {
		for _, s := range facts(f) {
			if s.Caption() == caption {
				return s, nil
			}
		}
	}
	return Scene{}, fmt.Errorf("scenes: no caption of the pocket world: %q", caption)
}
