// Custom distils a generator, a verifier and an overlay of your own, all written
// in this one file: a generator of skies learns to make them warm where a
// spotlight falls. Replace the three types by networks of yours; main stays as it
// is.
//
//	go run ./examples/custom
package main

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/examples/internal/show"
	"github.com/dualprocess/dualprocess-go/lora"
)

func main() { show.Main("custom", custom) }

func custom(ctx context.Context, run *show.Run) error {
	rt, err := backends.Open(ctx, run.Backend())
	if err != nil {
		return err
	}
	defer rt.Close()
	generator, err := newSkies(rt)
	if err != nil {
		return err
	}

	control := run.Control("warm", dualprocess.Task{
		Runtime: rt, Generator: generator, Verifier: thermometer{},
		Prompts:   []string{"sea", "meadow"},
		Questions: []dualprocess.Question{{Text: "Is the picture warm?", Answer: "Yes", Overlay: spotlight{radius: .35}}},
		Adapter:   lora.Config{Rank: 4}, Weight: 1,
		LearningRate: 2e-3, Updates: 60, Batch: 4, Drift: .05,
		StopAt: dualprocess.StopAt{P: .9},
	}, warmth, clipped)
	adapter, err := control.Keep(dualprocess.Distill(ctx, control.Task))
	if err != nil {
		return err
	}

	unseen := run.Unseen("snow", "steppe")
	ratings, err := dualprocess.Evaluate(run.Finish(ctx), dualprocess.Evaluation{
		Runtime: rt, Generator: generator, Verifier: thermometer{}, Questions: control.Task.Questions,
		Prompts: unseen, Seeds: run.Seeds(), Adapter: adapter, Batch: 8,
	})
	if err != nil {
		return err
	}
	return control.Report(show.Group{Name: "unseen prompts and seeds", Ratings: ratings})
}

// skies is a generator: a flow of four steps whose latents are the coefficients
// of slow cosines, three colours each. It has random weights and no training,
// which is all that this example needs.
type skies struct{ mix, out, text *model.Variable }

const (
	waves   = 3                 // cosines along each axis
	numbers = waves * waves * 3 // of the latents
	hidden  = 32
	steps   = 4
	side    = 32 // of a picture in pixels
)

// colours are the prompts that the generator knows and their mean colours, red,
// green and blue, less the middle grey.
var colours = map[string][3]float32{
	"sea": {-.25, 0, .2}, "meadow": {-.2, .15, -.1}, "snow": {.2, .25, .3}, "steppe": {.05, .05, -.05},
}

// newSkies puts the weights into the runtime's store, frozen, below a root of
// their own.
func newSkies(rt *backends.Runtime) (*skies, error) {
	s, random := &skies{}, rand.New(rand.NewPCG(1, 1))
	for _, w := range []struct {
		variable **model.Variable
		name     string
		in, out  int
	}{{&s.mix, "mix", numbers, hidden}, {&s.text, "text", 4, hidden}, {&s.out, "out", hidden, numbers}} {
		values := make([]float32, w.in*w.out)
		for k := range values {
			values[k] = float32(random.NormFloat64() / math.Sqrt(float64(w.in)))
		}
		made, err := rt.Store.CreateVariable("/generator/"+w.name, tensors.FromFlatDataAndDimensions(values, w.in, w.out))
		if err != nil {
			return nil, fmt.Errorf("skies: %w", err)
		}
		*w.variable = made.SetTrainable(false)
	}
	return s, nil
}

// Encode returns the prompt's mean colour and a 1, [1, 4]. What the model cannot
// read is an error.
func (s *skies) Encode(_ context.Context, prompt string) (dualprocess.Inputs, error) {
	c, ok := colours[prompt]
	if !ok {
		return nil, fmt.Errorf("skies: unknown prompt %q", prompt)
	}
	return dualprocess.Inputs{tensors.FromFlatDataAndDimensions(append(c[:], 1), 1, 4)}, nil
}

// Latents returns noise, [seeds, numbers]: the same for a seed whatever else there is.
func (s *skies) Latents(seeds ...int64) (*tensors.Tensor, error) {
	var noise []float32
	for _, seed := range seeds {
		random := rand.New(rand.NewPCG(uint64(seed), 2))
		for range numbers {
			noise = append(noise, float32(random.NormFloat64()))
		}
	}
	return tensors.FromFlatDataAndDimensions(noise, len(seeds), numbers), nil
}

func (s *skies) Steps() int { return steps }

// Predict returns the velocity. Each layer that can be adapted takes one line: y
// goes through d under the layer's name.
func (s *skies) Predict(d *lora.Delta, latents, i *Node, cond []*Node) *Node {
	h := d.Linear("mix", latents, MatMul(latents, s.mix.NodeValue(latents)))
	h = Tanh(Add(h, MatMul(cond[0], s.text.NodeValue(latents))))
	clean := d.Linear("out", h, MatMul(h, s.out.NodeValue(latents)))
	// The first wave is constant: its coefficients are the picture's mean colour.
	others := BroadcastToDims(ScalarZero(latents.Graph(), dtypes.Float32), latents.Shape().Dim(0), numbers-3)
	colour := Concatenate([]*Node{MulScalar(Slice(cond[0], AxisRange(), AxisRange(0, 3)), 3), others}, -1)
	return Div(Sub(latents, Add(MulScalar(clean, .7), colour)), sigma(i))
}

// Clean returns the clean latents that a velocity implies.
func (s *skies) Clean(latents, velocity, i *Node) *Node { return Sub(latents, Mul(velocity, sigma(i))) }

// Step goes one step towards them.
func (s *skies) Step(latents, velocity, i *Node) *Node {
	return Add(latents, Mul(velocity, Sub(sigma(OnePlus(i)), sigma(i))))
}

// Decode draws the waves, [batch, side, side, 3] around the middle grey.
func (s *skies) Decode(latents *Node) *Node {
	basis := make([]float32, 0, waves*waves*side*side) // [waves·waves, side, side]
	for w := range waves * waves {
		for p := range side * side {
			x, y := (float64(p%side)+.5)/side, (float64(p/side)+.5)/side
			basis = append(basis, float32(math.Cos(math.Pi*float64(w%waves)*x)*math.Cos(math.Pi*float64(w/waves)*y)))
		}
	}
	w := Const(latents.Graph(), tensors.FromFlatDataAndDimensions(basis, waves*waves, side, side))
	drawn := TransposeAllAxes(Einsum("bwc,wyx->bcyx", Reshape(latents, -1, waves*waves, 3), w), 0, 2, 3, 1)
	return AddScalar(MulScalar(drawn, .25), .5)
}

// sigma is the noise level of step i: 1, .75, .5, .25, and 0 after the last.
func sigma(i *Node) *Node { return OneMinus(DivScalar(ConvertDType(i, dtypes.Float32), steps)) }

// thermometer is a verifier: it looks at the mean colour. A network would look
// with its layers; the rest would be the same.
type thermometer struct{}

// Prepare returns how much red, green and blue speak for the answer, [3]. A
// question that the model cannot read is an error.
func (thermometer) Prepare(_ context.Context, q dualprocess.Question, _, _ int) (dualprocess.Inputs, error) {
	weights := []float32{8, 0, -8}
	switch text := strings.ToLower(q.Text); {
	case strings.Contains(text, "warm"):
	case strings.Contains(text, "cold"):
		weights[0], weights[2] = weights[2], weights[0]
	default:
		return nil, fmt.Errorf("thermometer: cannot read %q: ask for warm or cold", q.Text)
	}
	if strings.EqualFold(q.Answer, "no") {
		weights[0], weights[2] = weights[2], weights[0]
	}
	return dualprocess.Inputs{tensors.FromFlatDataAndDimensions(weights, 3)}, nil
}

// LogProbs returns log P(answer) of every question, each [batch].
func (thermometer) LogProbs(image *Node, questions [][]*Node) []*Node {
	colour := ReduceMean(ClipScalar(image, 0, 1), 1, 2) // [batch, 3]
	var answers []*Node
	for _, q := range questions {
		logit := AddScalar(ReduceSum(Mul(colour, InsertAxes(q[0], 0)), -1), -.5)
		answers = append(answers, Neg(Softplus(Neg(logit))))
	}
	return answers
}

// spotlight is an overlay: grey everywhere but in a disc in the middle, so that
// this is all that the verifier can judge by.
type spotlight struct{ radius float64 } // in sides of the picture

// light is 1 where the spotlight falls, row by row.
func (s spotlight) light(height, width int) []float32 {
	lit := make([]float32, height*width)
	for k := range lit {
		x, y := (float64(k%width)+.5)/float64(width)-.5, (float64(k/width)+.5)/float64(height)-.5
		if math.Hypot(x, y) < s.radius {
			lit[k] = 1
		}
	}
	return lit
}

// Apply lays the overlay over pictures in a graph, differentiably.
func (s spotlight) Apply(image *Node) *Node {
	height, width := image.Shape().Dim(1), image.Shape().Dim(2)
	lit := Const(image.Graph(), tensors.FromFlatDataAndDimensions(s.light(height, width), 1, height, width, 1))
	return Add(Mul(image, lit), MulScalar(OneMinus(lit), .5))
}

// Over does the same to a picture that people look at; Distill does not need it.
func (s spotlight) Over(picture image.Image) (*image.NRGBA, error) {
	b := picture.Bounds()
	out := image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	for k, lit := range s.light(b.Dy(), b.Dx()) {
		var c color.Color = color.Gray{128}
		if lit == 1 {
			c = picture.At(b.Min.X+k%b.Dx(), b.Min.Y+k/b.Dx())
		}
		out.Set(k%b.Dx(), k/b.Dx(), c)
	}
	return out, nil
}

// warmth measures without the verifier what was asked for: red less blue where
// the spotlight falls.
var warmth = show.Gauge{Name: "red - blue", Tolerance: .02, Of: func(picture image.Image, _ string) float64 {
	sum, count := 0., 0.
	b := picture.Bounds()
	for k, lit := range (spotlight{.35}).light(b.Dy(), b.Dx()) {
		c := color.NRGBAModel.Convert(picture.At(k%b.Dx(), k/b.Dx())).(color.NRGBA)
		sum += float64(lit) * (float64(c.R) - float64(c.B)) / 255
		count += float64(lit)
	}
	return sum / count
}}

// clipped measures the pictures' quality: the share of channels at their limits,
// where a sky has no detail left.
var clipped = show.Gauge{Name: "clipped", Less: true, Tolerance: .15, Of: func(picture image.Image, _ string) float64 {
	b, n := picture.Bounds(), 0.
	for k := range b.Dx() * b.Dy() {
		c := color.NRGBAModel.Convert(picture.At(k%b.Dx(), k/b.Dx())).(color.NRGBA)
		for _, v := range []uint8{c.R, c.G, c.B} {
			if v == 0 || v == 255 {
				n++
			}
		}
	}
	return n / float64(3*b.Dx()*b.Dy())
}}
