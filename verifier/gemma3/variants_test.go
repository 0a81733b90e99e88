package gemma3

import (
	"math"
	"testing"
	"testing/fstest"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
)

// plain opens the pure Go backend, which has nothing to compile.
func plain(t *testing.T) *backends.Runtime {
	rt, err := backends.Open(t.Context(), backends.Options{Backend: "go"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, rt.Close()) })
	return rt
}

// opened opens the fixture's model, its files changed.
func opened(t *testing.T, rt *backends.Runtime, o Options, change func(files fstest.MapFS)) *Verifier {
	files := vlmtest.Files(t, "gemma3")
	if change != nil {
		change(files)
	}
	v, err := OpenFS(t.Context(), rt, files, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, v.Release()) })
	return v
}

// rate asks the fixture's official question about its picture that is not square:
// the loss and its gradient, [1, 3, H, W].
func rate(t *testing.T, rt *backends.Runtime, v *Verifier) golden.Results {
	const key = "official_ns/image"
	for _, f := range golden.Fixtures(t, golden.Verifier) {
		var about struct{ Name string }
		if f.Decode(t, &about); about.Name != "gemma3" {
			continue
		}
		official := f.Beside(t, "official")
		var q dualprocess.Question
		official.Decode(t, &struct{ Question, Answer *string }{&q.Text, &q.Answer})
		q.Bare = true
		_, shape := official.Floats(t, key)
		in, err := v.Prepare(t.Context(), q, shape[2], shape[3])
		require.NoError(t, err)
		return golden.Run(t, rt, func(p *nn.Probe, in []*Node) {
			logP := v.LogProbs(TransposeAllAxes(in[0], 0, 2, 3, 1), [][]*Node{in[1:]})[0]
			p.See("gradient", Gradient(p.See("loss", Neg(ReduceAllSum(logP))), in[0])[0])
		}, official.Tensor(t, key), in[0], in[1], in[2], in[3])
	}
	require.Fail(t, "no fixture")
	return nil
}

// trace is all that the probe sees of a question about a small picture.
func trace(t *testing.T, rt *backends.Runtime, v *Verifier) golden.Results {
	in, err := v.Prepare(t.Context(), dualprocess.Question{Text: "Is it?", Answer: "Yes"}, 3, 2)
	require.NoError(t, err)
	pixels := make([]float32, 3*2*3)
	for i := range pixels {
		pixels[i] = float32(i) / 17
	}
	return golden.Run(t, rt, func(p *nn.Probe, in []*Node) { vlm.Trace(v, p, in[0], in[1:]) },
		tensors.FromFlatDataAndDimensions(pixels, 1, 3, 2, 3), in[0], in[1], in[2], in[3])
}

func norm(values []float32) float64 {
	sum := 0.
	for _, x := range values {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}

const (
	config    = "config.json"
	pictures  = "preprocessor_config.json"
	processor = "processor_config.json"
)

// change sets a field of a file.
type change struct {
	file, path string
	value      any
}

// variant is the fixture's checkpoint with some settings changed: the loss, and the
// norm of its gradient by the picture.
type variant struct {
	name       string
	changes    []change
	loss, grad float64
}

// variants are what transformers 5.23 computes (eager attention) with the same changes.
func variants() []variant {
	const text = "text_config."
	scaled := map[string]any{"rope_type": "linear", "factor": 4, "rope_theta": 20000}
	plainly := map[string]any{"rope_type": "default", "rope_theta": 500}
	kinds := []string{"full_attention", "sliding_attention", "sliding_attention", "full_attention", "sliding_attention"}
	return []variant{
		{"as it is", nil, 7.358477, 0.857837},
		{"window within the picture", []change{{config, text + "sliding_window", 6}}, 6.059782, 2.209579},
		{"window of one", []change{{config, text + "sliding_window", 1}}, 9.542685, 0.952253},
		{"window within the question", []change{{config, text + "sliding_window", 20}}, 7.328785, 0.599155},
		{"fewer tokens", []change{{config, "mm_tokens_per_image", 4}, {processor, "image_seq_length", 4}}, 9.443975, 0.727286},
		{"all local", []change{{config, text + "sliding_window_pattern", vlmtest.Absent{}}, {config, text + "sliding_window", 9}}, 7.988925, 0.016530},
		{"all global", []change{{config, text + "sliding_window_pattern", 1}}, 7.407157, 2.185760},
		{"layer types", []change{{config, text + "layer_types", kinds}, {config, text + "sliding_window", 9}}, 9.239791, 2.084159},
		{"no scaling", []change{{config, text + "rope_scaling", nil}, {config, text + "query_pre_attn_scalar", 24}}, 6.937158, 2.023691},
		{"other bases", []change{{config, text + "rope_theta", 5000}, {config, text + "rope_local_base_freq", 300}}, 7.650790, 1.106836},
		{"rope parameters", []change{
			{config, text + "rope_scaling", vlmtest.Absent{}},
			{config, text + "rope_parameters", map[string]any{"full_attention": scaled, "sliding_attention": plainly}},
		}, 6.061771, 1.231937},
		{"pixels left over", []change{{pictures, "size", map[string]int{"height": 118, "width": 125}}}, 7.586905, 1.165334},
		{"another filter", []change{
			{pictures, "resample", 3}, {pictures, "image_mean", []float64{0.4, 0.5, 0.6}}, {pictures, "image_std", []float64{0.3, 0.25, 0.2}},
		}, 7.859497, 2.656417},
		{"epsilons", []change{{config, text + "rms_norm_eps", 1e-2}, {config, "vision_config.layer_norm_eps", 1e-2}}, 7.135934, 0.808080},
	}
}

func TestVariants(t *testing.T) {
	for _, test := range variants() {
		t.Run(test.name, func(t *testing.T) {
			rt := plain(t)
			got := rate(t, rt, opened(t, rt, Options{}, func(files fstest.MapFS) {
				for _, s := range test.changes {
					vlmtest.Set(t, files, s.file, s.path, s.value)
				}
			}))
			require.InDelta(t, test.loss, got.Floats(t, "loss")[0], 5e-5)
			require.InEpsilon(t, test.grad, norm(got.Floats(t, "gradient")), 1e-4)
		})
	}
	t.Run("half", func(t *testing.T) {
		rt := plain(t)
		got := rate(t, rt, opened(t, rt, Options{}, func(files fstest.MapFS) { vlmtest.Halve(t, files) }))
		require.InDelta(t, 7.358126, got.Floats(t, "loss")[0], 5e-5)
		require.InEpsilon(t, 0.862203, norm(got.Floats(t, "gradient")), 1e-4)
	})
}
