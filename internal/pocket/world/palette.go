package world

import (
	"image/color"
	"math"
	"slices"

	"github.com/dualprocess/dualprocess-go/overlay"
)

// PaletteNames lists the palettes, those of the paper, in a fixed order.
var PaletteNames = []string{"dark academia", "pastel", "retro"}

// Palettes holds the colours of the palettes by their names: those of package overlay.
var Palettes = func() map[string][]RGB {
	all := map[string][]RGB{}
	for name, inks := range paletteInks {
		for _, ink := range inks {
			n := color.NRGBAModel.Convert(ink).(color.NRGBA)
			all[name] = append(all[name], RGB{float32(n.R) / 255, float32(n.G) / 255, float32(n.B) / 255})
		}
	}
	return all
}()

// paletteInks are the same as package overlay has them.
var paletteInks = map[string][]color.Color{
	"dark academia": overlay.DarkAcademia(), "pastel": overlay.Pastel(), "retro": overlay.Retro(),
}

// Lab is a colour in CIELAB under daylight (D65): lightness from 0 to 100, and two
// axes of hue. Distances are about those that people see: 2 is the least.
type Lab [3]float64

// Lab converts a colour of sRGB.
func (a RGB) Lab() Lab {
	var linear [3]float64
	for i, v := range a {
		linear[i] = linearLight[int(Clamp(float64(v))*float64(len(linearLight)-1)+.5)]
	}
	r, g, b := linear[0], linear[1], linear[2]
	x := labRoot((.4124564*r + .3575761*g + .1804375*b) / .95047)
	y := labRoot(.2126729*r + .7151522*g + .0721750*b)
	z := labRoot((.0193339*r + .1191920*g + .9503041*b) / 1.08883)
	return Lab{116*y - 16, 500 * (x - y), 200 * (y - z)}
}

// linearLight undoes the curve of sRGB, in steps that are finer than eyes.
var linearLight = func() (t [4096]float64) {
	for i := range t {
		v := float64(i) / float64(len(t)-1)
		t[i] = v / 12.92
		if v > .04045 {
			t[i] = math.Pow((v+.055)/1.055, 2.4)
		}
	}
	return t
}()

func labRoot(t float64) float64 {
	const small = 216. / 24389
	if t > small {
		return math.Cbrt(t)
	}
	return (24389./27*t + 16) / 116
}

// Distance is that of two colours as people see it, CIE 1976.
func (a Lab) Distance(b Lab) float64 {
	return math.Sqrt((a[0]-b[0])*(a[0]-b[0]) + (a[1]-b[1])*(a[1]-b[1]) + (a[2]-b[2])*(a[2]-b[2]))
}

// grade moves all colours of a picture towards those of a palette, by their
// lightness: the darkest become its darkest. What is lighter than something else
// stays so, and all that a picture shows can be seen.
func (p *Picture) grade(palette []RGB, amount float64) {
	stops := slices.Clone(palette)
	slices.SortFunc(stops, func(a, b RGB) int { return int(math.Copysign(1, a.Lab()[0]-b.Lab()[0])) })
	levels := make([]float64, p.Size*p.Size)
	for i := range levels {
		levels[i] = RGB(p.Pix[3*i : 3*i+3]).Lab()[0]
	}
	sorted := slices.Sorted(slices.Values(levels))
	low, high := sorted[len(sorted)/50], sorted[len(sorted)-1-len(sorted)/50]
	for i, level := range levels {
		t := Clamp((level-low)/math.Max(high-low, 1)) * float64(len(stops)-1)
		k := min(int(t), len(stops)-2)
		// A palette has few colours: steps between them are short.
		colour := Mix(stops[k], stops[k+1], smoothStep(t-float64(k)))
		v := Mix(RGB(p.Pix[3*i:3*i+3]), colour, amount)
		copy(p.Pix[3*i:], v[:])
	}
}

// smoothStep rises from 0 to 1 in the middle half of [0, 1].
func smoothStep(t float64) float64 {
	t = Clamp(2*t - .5)
	return t * t * (3 - 2*t)
}
