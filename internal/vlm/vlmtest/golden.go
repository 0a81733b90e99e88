// Package vlmtest compares a vision-language model with what transformers and the
// paper's code computed: every key of every fixture of that model.
package vlmtest

import (
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
)

// Model is the model of one folder.
type Model struct {
	Name string // of the model in golden.json
	Open vlm.Open

	// Bidirectional opens the model in the mode Paper, but so that image tokens attend
	// to each other; nil for models in which they never do.
	Bidirectional vlm.Open

	// Whole returns the keys of whole numbers that this model alone has, by name, as
	// image_sizes; they are compared exactly. nil returns none.
	Whole func(x Case) map[string][]int32

	// Result returns what a key is compared with where it is not what was recorded
	// under the key's name; nil leaves it at that.
	Result func(t *testing.T, x Case, name string) []float32

	// Text undoes in a prompt what the model's processor, and not its template, does.
	Text func(prompt string) string

	// Unused are the last blocks of the vision tower that the model has no use for.
	Unused int

	// Generates says that the loop which generates is essential, and so compared on every
	// backend: it is the frame's, and one model does for all, as XLA compiles it for long.
	Generates bool
}

// Case is one picture with one question.
type Case struct {
	Name     string // such as "a" or "official_ns"
	Folder   string // of the checkpoint
	Fixture  *golden.Fixture
	Paper    bool // the mode of the verifier
	Verifier *vlm.Verifier
	Size     vision.Size    // of the picture
	Recorded golden.Results // by the names that vlm.Model gives
}

// about is what the tests need of golden.json.
type about struct {
	Name, Model string
	Processing  string // "official" for what the model's own processor gives, and not the paper's code
	Split       bool   // the option of that name
	Cases       map[string]struct {
		Question, Answer, Prefix string
		Prompt                   string // the same as Prefix, in official fixtures
		Of                       []string
	}
	Answers []struct { // to a's question
		Answer string
		Labels []int32 `json:"label_ids"`
		Mean   float32 `json:"log_prob_mean"`
	}
}

func (a about) options() vlm.Options {
	return vlm.Options{Paper: a.Processing != "official", Split: a.Split}
}

// reference is a fixture with the models opened from it.
type reference struct {
	*golden.Fixture
	Model
	rt     *backends.Runtime
	wanted func(name string) bool // cases
	about  about
	opened *vlm.Verifier
}

// Golden compares everything that the fixtures hold about a model, as
// golden.Backends says.
func Golden(t *testing.T, m Model) {
	golden.Backends(t, func(t *testing.T, rt *backends.Runtime, part golden.Part) {
		m.golden(t, rt, func(name string) bool { return part != golden.Essence || m.essential(name) })
	})
}

// golden compares the cases that are wanted.
func (m Model) golden(t *testing.T, rt *backends.Runtime, wanted func(name string) bool) {
	found := false
	for _, f := range golden.Fixtures(t, golden.Verifier) {
		r := &reference{Fixture: f, Model: m, rt: rt, wanted: wanted}
		f.Decode(t, &r.about)
		if r.about.Name != m.Name {
			continue // verifier's tests see to it that every model is compared
		}
		found = true
		t.Run(f.Name, func(t *testing.T) {
			r.testCases(t)
			if official := f.Beside(t, "official"); official != nil && f.Variant() == "" {
				t.Run("official", func(t *testing.T) { newOfficial(t, r, official).test(t) })
			}
		})
	}
	require.True(t, found, "no fixture of %s", m.Name)
}

// essential are the cases that are compared on every backend: a loss with its gradient.
func (m Model) essential(name string) bool {
	return name == "official_ns" || name == "gen" && m.Generates
}

func (r *reference) open(t *testing.T, o vlm.Options) *vlm.Verifier {
	v, err := r.Open.Folder(t.Context(), r.rt, r.Model.Name, r.folder(), o)
	require.NoError(t, err)
	return v
}

func (r *reference) folder() string { return r.Path(r.about.Model) }

// testCases compares the keys of golden.safetensors.
func (r *reference) testCases(t *testing.T) {
	r.opened = r.open(t, r.about.options())
	for name, c := range r.about.Cases {
		if !r.wanted(name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			if c.Of != nil {
				r.testSeveral(t, name, c.Of)
				return
			}
			if prompt := c.Prefix + c.Prompt; prompt != "" {
				require.Equal(t, prompt, r.text(r.opened, c.Question))
			}
			r.testCase(t, name, dualprocess.Question{Text: c.Question, Answer: c.Answer, Bare: true})
		})
	}
	if r.wanted("gen") && r.Has("gen.new_ids") {
		t.Run("gen", r.testGenerate)
	}
	if r.wanted("answers") && len(r.about.Answers) > 0 {
		t.Run("answers", r.testAnswers)
	}
	if !t.Failed() && r.wanted("") {
		require.Empty(t, r.unread("image", "image_ns"), "nobody compares these keys")
	}
}

func (r *reference) unread(known ...string) []string {
	return slices.DeleteFunc(r.Unread(), func(key string) bool { return slices.Contains(known, key) })
}

// text is a prompt as the template gives it.
func (r *reference) text(v *vlm.Verifier, question string) string {
	var b strings.Builder
	for _, part := range vlm.Pieces(v).Model.Prompt(question).Parts {
		b.WriteString(part.Text)
	}
	if r.Text != nil {
		return r.Text(b.String())
	}
	return b.String()
}

// picture is what a case shows, [1, 3, height, width].
func (r *reference) picture(t *testing.T, name string) *tensors.Tensor {
	key := "image"
	if name == "ns" {
		key = "image_ns"
	}
	values, shape := r.Floats(t, key)
	if name == "a_range" {
		values = slices.Clone(values)
		for i, x := range values {
			values[i] = 2.3*x - 1.1
		}
	}
	return tensors.FromFlatDataAndDimensions(values, shape...)
}

func (r *reference) testCase(t *testing.T, name string, q dualprocess.Question) {
	v := r.opened
	if name == "a_bidir" {
		require.NotNil(t, r.Bidirectional, "nobody opens the model for %s", name)
		var err error
		v, err = r.Bidirectional.Folder(t.Context(), r.rt, r.Model.Name, r.folder(), vlm.Options{Paper: true})
		require.NoError(t, err)
	}
	r.ask(t, v, name, q)
}

// ask compares what a verifier gives for the questions of a case.
func (r *reference) ask(t *testing.T, v *vlm.Verifier, name string, questions ...dualprocess.Question) {
	picture := r.picture(t, name)
	run := &run{of: r, verifier: v, fixture: r.Fixture, prefix: name + ".", paper: r.about.options().Paper}
	run.start(t, picture, questions...)
	if run.paper {
		run.loose = extremes(tensors.MustCopyFlatData[float32](picture))
	}
	run.compare(t)
}

// testSeveral asks several questions together.
func (r *reference) testSeveral(t *testing.T, name string, of []string) {
	var questions []dualprocess.Question
	for _, k := range of {
		c := r.about.Cases[k]
		questions = append(questions, dualprocess.Question{Text: c.Question, Answer: c.Answer, Bare: true})
	}
	r.ask(t, r.opened, name, questions...)
}

// testAnswers compares the probabilities of several answers to one question.
func (r *reference) testAnswers(t *testing.T) {
	picture := r.picture(t, "a")
	size := sizeOf(picture)
	inputs, want := []any{channelsLastTensor(picture)}, []float32(nil)
	for _, a := range r.about.Answers {
		q := dualprocess.Question{Text: r.about.Cases["a"].Question, Answer: a.Answer, Bare: true}
		in, err := r.opened.Prepare(t.Context(), q, size.Height, size.Width)
		require.NoError(t, err)
		require.Equal(t, a.Labels, tensors.MustCopyFlatData[int32](in[2]), a.Answer)
		for _, x := range in {
			inputs = append(inputs, x)
		}
		want = append(want, a.Mean)
	}
	got := golden.Run(t, r.rt, func(in []*Node) golden.Outputs {
		questions := make([][]*Node, len(want))
		for k := range questions {
			questions[k] = in[1+4*k : 5+4*k]
		}
		return golden.Outputs{"log_probs": Concatenate(r.opened.LogProbs(in[0], questions), 0)}
	}, inputs...)
	near(t, got.Floats(t, "log_probs"), want, of("loss", want), nil)
}

// testGenerate compares what the model goes on with.
func (r *reference) testGenerate(t *testing.T) {
	question := r.about.Cases["a"].Question
	picture := r.picture(t, "a")
	suffix, err := vlm.Suffix(r.opened, question)
	require.NoError(t, err)
	prefix, err := vlm.Prefix(r.opened, sizeOf(picture))
	require.NoError(t, err)
	require.Equal(t, r.Ints(t, "gen.prefix_ids"), int32s(slices.Concat(prefix, suffix)))
	want := r.Ints(t, "gen.new_ids")
	got, err := vlm.Continue(t.Context(), r.opened, channelsLastTensor(picture), question, len(want))
	require.NoError(t, err)
	require.Equal(t, want, int32s(got))
}

// extremes are the places of the least and the greatest numbers, whose gradients
// in the mode Paper are sums over all pixels with cancellation.
func extremes(values []float32) map[int]float64 {
	const allowed = 2e-4
	loose := map[int]float64{}
	low, high := slices.Min(values), slices.Max(values)
	for i, x := range values {
		if x == low || x == high {
			loose[i] = allowed
		}
	}
	return loose
}

func sizeOf(picture *tensors.Tensor) vision.Size {
	d := picture.Shape().Dimensions
	return vision.Size{Height: d[2], Width: d[3]}
}

func int32s(ids []int) []int32 {
	out := make([]int32, len(ids))
	for i, id := range ids {
		out[i] = int32(id)
	}
	return out
}
