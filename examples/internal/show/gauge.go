package show

import (
	"fmt"
	"image"
	"image/color"
	"math"

	"github.com/dualprocess/dualprocess-go/dualprocess"
)

// Gauge measures something on a picture without a verifier.
type Gauge struct {
	Name string // heads a column
	// Of measures one picture, which was made from the prompt. NaN is "cannot be
	// told" and left out of means.
	Of func(picture image.Image, prompt string) float64
	// OfPair, in place of Of, measures a picture beside the one that the generator made of
	// the same prompt and seed before: that one, too, beside itself.
	OfPair func(before, picture image.Image, prompt string) float64
	// Less says that smaller is better.
	Less bool
	// Tolerance is the change of the mean that does not count: an improvement up
	// to it is none, nor is a loss.
	Tolerance float64
	// Guard says that it is a quality even where it comes first: nothing measures
	// what is asked for.
	Guard bool
	// Paints says that what is asked for is light or colours, which no bound can hold then.
	Paints bool
	// Share prints means as percentages; Of gives 1 or 0.
	Share bool
	// Half is the value at which a judge would be of two minds whether the picture is as
	// asked; 0 where the value is itself a probability.
	Half float64
}

// measure measures a picture; before is nil where none of its prompt and seed is known.
func (g Gauge) measure(before, picture image.Image, prompt string) float64 {
	switch {
	case g.OfPair == nil:
		return g.Of(picture, prompt)
	case before == nil:
		return math.NaN()
	}
	return g.OfPair(before, picture, prompt)
}

// Stat sums up numbers; those that are NaN do not count.
type Stat struct {
	Mean   Number `json:"mean"`
	Spread Number `json:"spread"` // standard deviation
	Count  int    `json:"count"`
}

// Contrast measures the standard deviation of a picture's brightness, in [0, 0.5]:
// all that can be said of a picture without knowing what it should show. Pictures
// that turn into a flat colour lose it.
func Contrast() Gauge {
	return Gauge{Name: "contrast", Guard: true, Tolerance: .02, Of: func(p image.Image, _ string) float64 {
		sum, squares, n := 0., 0., 0.
		for y := p.Bounds().Min.Y; y < p.Bounds().Max.Y; y++ {
			for x := p.Bounds().Min.X; x < p.Bounds().Max.X; x++ {
				v := float64(color.GrayModel.Convert(p.At(x, y)).(color.Gray).Y) / 255
				sum, squares, n = sum+v, squares+v*v, n+1
			}
		}
		return math.Sqrt(max(0, squares/n-sum*sum/(n*n)))
	}}
}

// Number is a float64 whose NaN is null in JSON.
type Number float64

// MarshalJSON writes a number, or null for what JSON cannot say.
func (n Number) MarshalJSON() ([]byte, error) {
	if x := float64(n); math.IsNaN(x) || math.IsInf(x, 0) {
		return []byte("null"), nil
	}
	return fmt.Appendf(nil, "%.6g", float64(n)), nil
}

func sumUp(values []float64) Stat {
	sum, squares, n := 0., 0., 0
	for _, v := range values {
		if !math.IsNaN(v) {
			sum += v
			squares += v * v
			n++
		}
	}
	mean := sum / float64(n) // NaN of none
	return Stat{Number(mean), Number(math.Sqrt(max(0, squares/float64(n)-mean*mean))), n}
}

// variety is how much pictures of the same prompt differ: the standard deviation
// of a pixel's channel over the seeds, mean over pixels and prompts. It is 0
// when all seeds give the same picture, and NaN when no prompt has two seeds.
func variety(ratings []dualprocess.Rating) float64 {
	byPrompt := map[string][]*image.NRGBA{}
	var order []string
	for _, r := range ratings {
		if byPrompt[r.Prompt] == nil {
			order = append(order, r.Prompt)
		}
		byPrompt[r.Prompt] = append(byPrompt[r.Prompt], r.Image)
	}
	sum, n := 0., 0
	for _, prompt := range order {
		if pictures := byPrompt[prompt]; len(pictures) > 1 {
			sum += deviation(pictures)
			n++
		}
	}
	return sum / float64(n)
}

// deviation is the mean standard deviation of the channels, in [0, 0.5].
func deviation(pictures []*image.NRGBA) float64 {
	total, n := 0., 0
	for k := range pictures[0].Pix {
		if k%4 == 3 { // alpha
			continue
		}
		sum, squares := 0., 0.
		for _, p := range pictures {
			v := float64(p.Pix[k]) / 255
			sum += v
			squares += v * v
		}
		mean := sum / float64(len(pictures))
		total += math.Sqrt(max(0, squares/float64(len(pictures))-mean*mean))
		n++
	}
	return total / float64(n)
}
