package study_test

import (
	"context"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/lora"
	"github.com/dualprocess/dualprocess-go/study"
)

// The toy world: a latent number is the row where sky meets land. Real graph code of a
// few operations, so that trainings take no time.

const (
	toySide   = 16
	toyLength = 4  // of latents
	toySharp  = 16 // how sharp the horizon is
)

// toyPrompts are the words of the toy generator: where its horizon lies by itself.
var toyPrompts = map[string]float32{"high": .35, "low": .65, "middle": .5}

type toyGenerator struct{}

func (toyGenerator) Encode(_ context.Context, prompt string) (dualprocess.Inputs, error) {
	row, ok := toyPrompts[prompt]
	if !ok {
		return nil, fmt.Errorf("toy: %w: %q", dualprocess.ErrPrompt, prompt)
	}
	return dualprocess.Inputs{tensors.FromFlatDataAndDimensions([]float32{row}, 1, 1)}, nil
}

func (toyGenerator) Conditions() []shapes.Shape {
	return []shapes.Shape{shapes.Make(dtypes.Float32, 1, 1)}
}

func (toyGenerator) Latents(seeds ...int64) (*tensors.Tensor, error) {
	var noise []float32
	for _, seed := range seeds {
		random := rand.New(rand.NewPCG(uint64(seed), 0))
		for range toyLength {
			noise = append(noise, float32(random.NormFloat64()))
		}
	}
	return tensors.FromFlatDataAndDimensions(noise, len(seeds), toyLength), nil
}

func (toyGenerator) Steps() int { return 1 }

// Predict is the velocity to clean latents, which begin as a tenth of the noise beside
// the prompt's row.
func (toyGenerator) Predict(d *lora.Delta, latents, _ *Node, cond []*Node) *Node {
	clean := Add(MulScalar(latents, .1), cond[0])
	return Sub(latents, d.Linear("out", Concatenate([]*Node{latents, cond[0]}, -1), clean))
}

func (toyGenerator) Clean(latents, velocity, _ *Node) *Node { return Sub(latents, velocity) }
func (toyGenerator) Step(latents, velocity, _ *Node) *Node  { return Sub(latents, velocity) }

// Decode draws a dark sky above the row of the first latent, and bright land below.
func (toyGenerator) Decode(latents *Node) *Node {
	n := latents.Shape().Dimensions[0]
	row := Reshape(Slice(latents, AxisRange(), AxisElem(0)), n, 1, 1, 1)
	land := Sigmoid(MulScalar(Sub(heights(latents.Graph(), n), BroadcastToDims(row, n, toySide, toySide, 3)), toySharp))
	return AddScalar(MulScalar(land, .8), .1)
}

// heights are the rows of pixels' middles, [n, side, side, 3].
func heights(g *Graph, n int) *Node {
	y := IotaFull(g, shapes.Make(dtypes.Float32, toySide))
	return BroadcastToDims(Reshape(MulScalar(AddScalar(y, .5), 1./toySide), 1, toySide, 1, 1), n, toySide, toySide, 3)
}

// toyVerifier is asked for a row, "0.3", and says yes the rather the nearer the horizon
// is, which it knows by the brightness of the whole picture.
type toyVerifier struct{}

func (toyVerifier) Prepare(_ context.Context, q dualprocess.Question, _, _ int) (dualprocess.Inputs, error) {
	row, err := strconv.ParseFloat(q.Text, 32)
	if err != nil {
		return nil, fmt.Errorf("toy: %w: %q", dualprocess.ErrPrompt, q.Text)
	}
	return dualprocess.Inputs{tensors.FromValue(float32(row))}, nil
}

func (toyVerifier) LogProbs(img *Node, questions [][]*Node) []*Node {
	horizon := OneMinus(MulScalar(AddScalar(ReduceMean(img, 1, 2, 3), -.1), 1/.8))
	var out []*Node
	for _, q := range questions {
		out = append(out, MulScalar(Square(Sub(horizon, q[0])), -20))
	}
	return out
}

// toyRow measures a picture's horizon by its share of dark pixels: other code than
// LevelEdge.
func toyRow(img image.Image) float64 {
	dark := 0.
	for y := range toySide {
		for x := range toySide {
			if r, _, _, _ := img.At(x, y).RGBA(); r < 0x8000 {
				dark++
			}
		}
	}
	return dark / (toySide * toySide)
}

// toyJudge says whether the horizon is above the middle, "high", or below, "low"; at the
// middle it says both, and of "none" nothing.
type toyJudge struct{}

func (toyJudge) Score(_ context.Context, img image.Image, q dualprocess.Question) (float64, error) {
	row := toyRow(img)
	switch {
	case strings.Contains(q.Text, "high"):
		return truth(row <= .5), nil
	case strings.Contains(q.Text, "low"):
		return truth(row >= .5), nil
	}
	return 0, nil
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// toySetup trains in a few updates.
func toySetup(t testing.TB) study.Setup {
	return study.Setup{Label: "toys", Task: dualprocess.Task{
		Runtime: golden.Runtime(t), Generator: toyGenerator{}, Verifier: toyVerifier{},
		Adapter: lora.Config{Rank: 2, Init: lora.FanIn}, Weight: 1, LearningRate: .05, Updates: 30, Batch: 4,
		Checkpoint: dualprocess.Checkpoint{Every: 5},
	}}
}

func toyQuestion(row float64) dualprocess.Question {
	return dualprocess.Question{Text: strconv.FormatFloat(row, 'g', -1, 64), Answer: "Yes"}
}

func toyHorizon(t testing.TB) *study.Horizon {
	return &study.Horizon{
		Setup: toySetup(t), Prompts: []string{"high", "low"}, Lines: []float64{.3, .6},
		Locate: study.LevelEdge, Question: toyQuestion,
		Expand: func(_ string, row float64) string {
			if math.Abs(row-.3) < .1 {
				return "high"
			}
			return "low"
		},
	}
}

// toyWriter counts what it writes; it may fail after the first question.
type toyWriter struct {
	fails                 bool
	questions, expansions int
}

func (w *toyWriter) Question(context.Context, string) (dualprocess.Question, error) {
	if w.fails && w.questions > 0 {
		return dualprocess.Question{}, errToy
	}
	w.questions++
	return toyQuestion(.3), nil
}

func (w *toyWriter) Expand(context.Context, string) (string, error) {
	w.expansions++
	return "high", nil
}
