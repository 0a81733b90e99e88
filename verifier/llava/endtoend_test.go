package llava_test

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/generator/flux"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/pipeline/pipelinetest"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
	"github.com/dualprocess/dualprocess-go/lora"
	"github.com/dualprocess/dualprocess-go/overlay"
	"github.com/dualprocess/dualprocess-go/verifier/llava"
)

// endToEnd is a distillation of FLUX.1 schnell from LLaVA that the paper's code
// made: two questions, one of them over an overlay.
type endToEnd struct {
	*golden.Fixture
	rt        *backends.Runtime
	about     endToEndAbout
	generator *scripted
	verifier  *llava.Verifier
	questions []dualprocess.Question
	cond      dualprocess.Inputs // of the prompt
	start     *lora.Adapter
}

type endToEndAbout struct {
	Generator string
	Tokens    int     `json:"t5_max_sequence_length"`
	Steps     int     `json:"num_inference_steps"`
	Alpha     float64 `json:"lora_alpha"`
	Weight    float64 `json:"train_weight"`
	Spec      struct{ Rank int }
	Prompts   []struct{ Question, Answer, Overlay string }
}

// scripted is FLUX with the fixture's noise: that of update k for the seed -1-k,
// and that of the final pictures for the seed evaluation.
type scripted struct {
	*flux.Generator
	t *testing.T
	f *golden.Fixture
}

const evaluation = 1 << 20

func (s *scripted) Latents(seeds ...int64) (*tensors.Tensor, error) {
	switch {
	case len(seeds) == 1 && seeds[0] == evaluation:
		return s.f.Tensor(s.t, "in.eval_noise"), nil
	case len(seeds) == 1 && seeds[0] < 0:
		return s.f.Tensor(s.t, fmt.Sprint("in.noise", -1-seeds[0])), nil
	}
	return s.Generator.Latents(seeds...) // to see the shape
}

// TestGoldenEndToEnd compares the distillation's losses, gradients, weights and
// pictures.
func TestGoldenEndToEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("trains")
	}
	rt := golden.Runtime(t)
	for _, f := range golden.Fixtures(t, golden.EndToEnd) {
		t.Run(f.Name, func(t *testing.T) {
			e := &endToEnd{Fixture: f, rt: rt}
			f.Decode(t, &e.about)
			e.open(t)
			t.Run("tokens", e.testTokens)
			t.Run("first gradient", func(t *testing.T) { e.testGradients(t, []string{"reflr.it0.", "biglr.it0."}, 0, e.start) })
			for name, rate := range map[string]float64{"reflr": 5e-5, "biglr": 5e-3} {
				t.Run(name, func(t *testing.T) { e.testDistill(t, name, rate) })
			}
			if !t.Failed() {
				require.Empty(t, f.Unread(), "nobody compares these keys")
			}
		})
	}
}

// open opens both models and makes the adapter that training starts from.
func (e *endToEnd) open(t *testing.T) {
	folder := e.Path(e.about.Generator)
	_, shape := e.Floats(t, "reflr.it0.x0_image")
	g, err := flux.Open(t.Context(), e.rt, folder, flux.Options{
		Height: shape[2], Width: shape[3], Steps: e.about.Steps, TextTokens: e.about.Tokens, StaticShift: true,
	})
	require.NoError(t, err)
	e.generator = &scripted{g, t, e.Fixture}
	e.verifier, err = llava.Open(t.Context(), e.rt, e.Path("vlm"), llava.Options{Paper: true})
	require.NoError(t, err)
	for _, p := range e.about.Prompts {
		q := dualprocess.Question{Text: p.Question, Answer: p.Answer, Bare: true}
		if p.Overlay != "" {
			require.Equal(t, "solid", p.Overlay)
			picture, err := overlay.Open(e.Path("overlay.png"))
			require.NoError(t, err)
			q.Overlay = overlay.Solid{Picture: picture, Paper: true, Multiple: 16}
		}
		e.questions = append(e.questions, q)
	}
	e.cond, err = e.generator.Encode(t.Context(), e.prompt(t))
	require.NoError(t, err)
	e.start = e.adapter(t)
}

// prompt is that of the generator's own fixture.
func (e *endToEnd) prompt(t *testing.T) string {
	data, err := os.ReadFile(filepath.Join(filepath.Dir(e.Path(e.about.Generator)), "golden.json"))
	require.NoError(t, err)
	var about struct{ Prompt string }
	require.NoError(t, json.Unmarshal(data, &about))
	require.NotEmpty(t, about.Prompt)
	return about.Prompt
}

// adapter has the fixture's A, and B of zeros.
func (e *endToEnd) adapter(t *testing.T) *lora.Adapter {
	layers := pipelinetest.Layers(t, e.rt, e.generator, e.cond)
	a, err := lora.New(lora.Config{Rank: e.about.Spec.Rank, Alpha: e.about.Alpha, Targets: e.generator.Preset().Targets}, layers)
	require.NoError(t, err)
	params := a.Params()
	for k, l := range a.Layers() {
		params[2*k] = e.Tensor(t, "in.lora_A/"+l.Name+".lora_A.weight")
	}
	a, err = a.WithParams(params)
	require.NoError(t, err)
	return a.WithWeight(e.about.Weight)
}

// named returns the fixture's tensors for all of the adapter's, in their order.
func (e *endToEnd) named(t *testing.T, prefix string) [][]float32 {
	var list [][]float32
	for _, l := range e.start.Layers() {
		for _, matrix := range []string{"A", "B"} {
			values, _ := e.Floats(t, prefix+l.Name+".lora_"+matrix+".weight")
			list = append(list, values)
		}
	}
	return list
}

// testTokens compares what the verifier reads and which of it is the answer.
func (e *endToEnd) testTokens(t *testing.T) {
	_, shape := e.Floats(t, "reflr.it0.x0_image")
	before, err := vlm.Prefix(vlmtest.Frame(e.verifier), vision.Size{Height: shape[2], Width: shape[3]})
	require.NoError(t, err)
	for k, q := range e.questions {
		in, err := e.verifier.Prepare(t.Context(), q, shape[2], shape[3])
		require.NoError(t, err)
		var ids, labels []int32
		for _, id := range before {
			ids = append(ids, int32(id))
		}
		ids = append(ids, tensors.MustCopyFlatData[int32](in[0])...)
		for _, at := range tensors.MustCopyFlatData[int32](in[1]) {
			labels = append(labels, at+1+int32(len(before)))
		}
		require.Equal(t, e.Ints(t, fmt.Sprintf("vlm.q%d.input_ids", k)), ids)
		require.Equal(t, e.Ints(t, fmt.Sprintf("vlm.q%d.search_idx", k)), labels)
	}
}

// steps are those that the updates take with gradient.
func (e *endToEnd) steps(t *testing.T) []int {
	u, _ := e.Floats(t, "in.u")
	var steps []int
	for _, x := range u {
		steps = append(steps, int(x*float32(e.about.Steps)))
	}
	return steps
}

// testDistill compares losses, gradients' norms, steps and weights, and then the
// pictures that the trained adapter makes.
func (e *endToEnd) testDistill(t *testing.T, name string, rate float64) {
	steps := e.steps(t)
	losses, _ := e.Floats(t, name+".losses")
	require.Len(t, losses, len(steps))
	task := dualprocess.Task{
		Runtime: e.rt, Generator: e.generator, Verifier: e.verifier, Prompts: []string{e.prompt(t)}, Questions: e.questions,
		Start: e.start, LearningRate: rate, Updates: len(steps), Seed: seedOf(t, steps, e.about.Steps),
	}
	for k := range steps {
		task.Seeds = append(task.Seeds, int64(-1-k))
	}
	task.Progress = func(u dualprocess.Update) {
		k := u.Number - 1
		prefix := fmt.Sprintf("%s.it%d.", name, k)
		require.Equal(t, []int32{int32(u.Step)}, e.Ints(t, prefix+"i"))
		e.Compare(t, prefix+"t", []float32{1000 * (1 - float32(u.Step)/float32(e.about.Steps))}, 1e-6)
		require.InDelta(t, losses[k], u.Loss, 1e-4, "loss of update %d", k)
		e.Compare(t, prefix+"grad_norm", []float32{float32(u.GradientNorm)}, 1e-3)
		t.Logf("update %d: loss %.6f, the reference's %.6f", k, u.Loss, losses[k])
	}
	var before *lora.Adapter // the last update
	task.Snapshots = dualprocess.Snapshots{Every: len(steps) - 1, Do: func(s *dualprocess.Snapshot) error {
		if s.Update.Number == len(steps)-1 {
			before = s.Adapter
		}
		return nil
	}}
	trained, err := dualprocess.Distill(t.Context(), task)
	require.NoError(t, err)
	e.compareWeights(t, name+".after5/", trained, rate)
	e.testPictures(t, name, trained)
	e.testGradients(t, []string{fmt.Sprintf("%s.it%d.", name, len(steps)-1)}, len(steps)-1, before)
}

// compareWeights compares how far each number moved, in units of the learning
// rate. A gradient of nearly zero may have the other sign by rounding.
func (e *endToEnd) compareWeights(t *testing.T, prefix string, trained *lora.Adapter, rate float64) {
	total, off, worst := 0, 0, 0.0
	want, params := e.named(t, prefix), trained.Params()
	for j := range params {
		got := tensors.MustCopyFlatData[float32](params[j])
		require.Len(t, got, len(want[j]))
		for i, to := range want[j] {
			difference := math.Abs(float64(got[i]-to)) / rate
			require.False(t, math.IsNaN(difference))
			if difference > 0.02 {
				off++
			}
			total, worst = total+1, max(worst, difference)
		}
	}
	t.Logf("%d of %d numbers moved otherwise, at most by %.3g of the rate", off, total, worst)
	require.LessOrEqual(t, float64(off), 0.005*float64(total), "moved otherwise")
}

// testGradients compares one update's picture and gradients, and, where the fixture
// has them, what the verifier saw and said.
func (e *endToEnd) testGradients(t *testing.T, prefixes []string, k int, a *lora.Adapter) {
	picture, grads, losses := e.update(t, k, a)
	for _, prefix := range prefixes {
		e.Compare(t, prefix+"x0_image", picture, 2e-5)
		e.compareQuestions(t, prefix, picture, losses)
		want := e.named(t, prefix+"grad/")
		largest := 0.0
		for _, w := range want {
			for _, x := range w {
				largest = max(largest, math.Abs(float64(x)))
			}
		}
		for j, w := range want {
			for i, x := range w {
				require.InDelta(t, x, grads[j][i], 1e-4*largest, "%s: number %d of matrix %d", prefix, i, j)
			}
		}
	}
}

// compareQuestions compares what the verifier was shown and what it said, question
// by question.
func (e *endToEnd) compareQuestions(t *testing.T, prefix string, picture []float32, losses []float32) {
	for j := range e.questions {
		q := fmt.Sprintf("%sq%d.", prefix, j)
		if e.Has(q + "loss") {
			e.Compare(t, q+"loss", losses[j:j+1], 2e-5)
		}
		if !e.Has(q + "logits") {
			continue
		}
		pixels, logits := e.look(t, picture, e.questions[j])
		e.Compare(t, q+"pixel_values", pixels, 2e-5)
		e.Compare(t, q+"logits", logits, 2e-5)
	}
}

// seedOf finds a seed with which Distill draws the given steps out of so many.
func seedOf(t *testing.T, steps []int, of int) int64 {
	key := fnv.New64a()
	key.Write([]byte("step"))
	for seed := range int64(1e7) {
		rng := rand.New(rand.NewPCG(uint64(seed), key.Sum64()))
		fits := true
		for _, step := range steps {
			fits = fits && rng.IntN(of) == step
		}
		if fits {
			return seed
		}
	}
	require.Fail(t, "no seed draws these steps")
	return 0
}
