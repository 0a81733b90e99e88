package sd

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/autoencoder"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/pipeline/pipelinetest"
	"github.com/dualprocess/dualprocess-go/internal/text"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// family is what the fixtures call the model.
const family = "sd"

// Tolerances of the fixtures' README, relative to the largest element.
const (
	tolerance         = 1e-4 // outputs
	gradientTolerance = 2e-4
)

// reference is a fixture: what diffusers, peft and the paper's code computed.
type reference struct{ *pipelinetest.Reference }

// TestGolden compares everything that the fixtures hold about Stable Diffusion.
func TestGolden(t *testing.T) {
	pipelinetest.Golden(t, family, func(x *pipelinetest.Reference) []pipelinetest.Group {
		x.Tolerance, x.GradientTolerance, x.Trimmed = tolerance, gradientTolerance, true
		r := &reference{x}
		return []pipelinetest.Group{
			{Name: "text", Test: r.testText}, {Name: "sched", Test: r.testSchedule}, {Name: "fwd", Test: r.testForward},
			{Name: "odd", Test: r.testOddSize}, {Name: "vae", Test: r.testAutoencoder}, {Name: "sample", Test: r.testSampling},
			{Name: "latgrad", Test: r.testLatentGradients}, {Name: "lora", Test: r.testLora}, {Name: "train", Test: r.testTraining, Essential: true, Long: true},
			{Name: "distill", Test: func(t *testing.T) { r.testDistill(t, "subsample") }},
			{Name: "distill with new noise", Test: func(t *testing.T) { r.testDistill(t, "full_intended") }, Long: true}, // of 50 steps each
			{Name: "every key", Test: func(t *testing.T) { r.Covered(t, "in.") }},
		}
	})
}

// open opens the fixture's model at the size of its pictures.
func (r *reference) open(t *testing.T, o Options) *Generator {
	o.Height, o.Width = r.About.Spec.Height, r.About.Spec.Width
	g, err := Open(t.Context(), r.Runtime, r.Path("model"), o)
	require.NoError(t, err)
	return g
}

// conditions of the fixture's prompt.
func (r *reference) conditions(t *testing.T, g *Generator) dualprocess.Inputs {
	cond, err := g.Encode(t.Context(), r.About.Prompt)
	require.NoError(t, err)
	return cond
}

// testText compares ids and states of the prompt, of none, and of one that is too
// long, and the modules' outputs for the first.
func (r *reference) testText(t *testing.T) {
	fsys := os.DirFS(r.Path("model"))
	c, err := readConfig(fsys)
	require.NoError(t, err)
	var encoder *text.CLIP
	root := weights.Root(r.Runtime.Store, "/clip")
	require.NoError(t, weights.Load(fsys, "text_encoder", r.Runtime.Store, root, text.CLIPSurplus, func(at weights.Cursor) {
		encoder = text.NewCLIP(at, c.CLIP)
	}))
	prompter, err := text.OpenPrompter(fsys, "tokenizer", c.CLIP.Positions, c.CLIP.Vocabulary, text.CLIPPadding)
	require.NoError(t, err)
	for which, prompt := range map[string]string{
		"cond": r.About.Prompt, "uncond": "", "long": strings.Repeat(r.About.Prompt+" ", prompter.Length()),
	} {
		ids, err := prompter.IDs(prompt)
		require.NoError(t, err)
		require.Equal(t, r.Ints(t, "text.clip.ids_"+which), ids)
		got := golden.Run(t, r.Runtime, func(in []*Node) golden.Outputs {
			f := nn.Pass{Recorder: &nn.Recorder{}}
			states := encoder.Apply(f, in[0], dtypes.Float32)
			out := r.Recorded("text.clip.mod.", f.Recorder, "text_model")
			out["states"] = states
			return out
		}, tensors.FromFlatDataAndDimensions(ids, 1, len(ids)))
		r.Compare(t, "text.clip.last_hidden_"+which, got.Floats(t, "states"), tolerance)
		if which == "cond" {
			r.Modules(t, "text.clip.mod.", got, tolerance, nil)
		}
	}
}

func (r *reference) testSchedule(t *testing.T) {
	c, err := readConfig(os.DirFS(r.Path("model")))
	require.NoError(t, err)
	r.Compare(t, "sched.alphas_cumprod", c.Scheduler.alphas(), 1e-6)
	final := c.Scheduler.alphas()[:1]
	if c.Scheduler.AlphaToOne {
		final = []float32{1}
	}
	r.Compare(t, "sched.final_alpha_cumprod", final, 1e-6)
	for _, key := range r.Keys() {
		var n int
		if k, _ := fmt.Sscanf(key, "sched.train%d.timesteps", &n); k == 1 {
			t.Run(key, func(t *testing.T) { require.Equal(t, r.timesteps(t, key), c.Scheduler.timesteps(n)) })
		}
	}
}

// timesteps are those of a key.
func (r *reference) timesteps(t *testing.T, key string) []int {
	var list []int
	for _, step := range r.Ints(t, key) {
		list = append(list, int(step))
	}
	return list
}

// testForward compares one prediction at two times, and in the second one every
// module's output.
func (r *reference) testForward(t *testing.T) {
	for _, call := range []string{"fwd0", "fwd1"} {
		scale, _ := r.Floats(t, call+".guidance_scale")
		time, _ := r.Floats(t, call+".t")
		g := r.open(t, Options{Guidance: new(float64(scale[0]))})
		got := golden.Run(t, r.Runtime, func(in []*Node) golden.Outputs {
			f := nn.Pass{Recorder: &nn.Recorder{}}
			both := BroadcastToDims(in[1], 2) // as the reference has it
			prediction := g.predict(f, in[0], both, in[2:])
			out := r.Recorded("fwd1.mod.", f.Recorder, "")
			out["model_pred"] = prediction
			return out
		}, pipelinetest.Flatten(r.Tensor(t, "in.fwd_latents"), time, r.conditions(t, g))...)
		r.Compare(t, call+".model_pred", got.Floats(t, "model_pred"), tolerance)
		if call == "fwd1" {
			r.Modules(t, "fwd1.mod.", got, tolerance, pipelinetest.ChannelsFirst)
		}
	}
}

// testOddSize compares a prediction, its gradient and a picture for latents whose
// height and width are odd at every resolution. The keys are our own addition, by
// diffusers' StableDiffusionPipeline on the fixture's model at a guidance of 7.5; the
// gradient is that of the prediction times -1 to 1.
func (r *reference) testOddSize(t *testing.T) {
	if !r.Has("odd.latents") {
		t.Skip("the fixture has no such keys")
	}
	_, shape := r.Floats(t, "odd.latents")
	time, _ := r.Floats(t, "odd.t")
	c, err := readConfig(os.DirFS(r.Path("model")))
	require.NoError(t, err)
	pixels := c.Autoencoder.Factor()
	g, err := Open(t.Context(), r.Runtime, r.Path("model"), Options{Height: shape[2] * pixels, Width: shape[3] * pixels})
	require.NoError(t, err)
	noise, err := g.Latents(1)
	require.NoError(t, err)
	require.Equal(t, shape, noise.Shape().Dimensions)
	got := golden.Run(t, r.Runtime, func(in []*Node) golden.Outputs {
		prediction := g.predict(nn.Pass{}, in[0], in[1], in[2:])
		size := prediction.Shape().Size()
		slope := Reshape(AddScalar(MulScalar(Iota(in[0].Graph(), shapes.Make(dtypes.Float32, size), 0), 2/float64(size-1)), -1), shape...)
		gradient := Gradient(ReduceAllSum(Mul(prediction, slope)), in[0])[0]
		return golden.Outputs{"model_pred": prediction, "grad": gradient, "image": pipelinetest.Picture(g, in[0])}
	}, pipelinetest.Flatten(r.Tensor(t, "odd.latents"), time, r.conditions(t, g))...)
	r.Compare(t, "odd.model_pred", got.Floats(t, "model_pred"), tolerance)
	r.Compare(t, "odd.grad", got.Floats(t, "grad"), gradientTolerance)
	r.Compare(t, "odd.image", got.Floats(t, "image"), tolerance)
}

// testAutoencoder compares every module's output of the decoder, and the
// encoder's.
func (r *reference) testAutoencoder(t *testing.T) {
	fsys := os.DirFS(r.Path("model"))
	cfg, err := autoencoder.ReadKLConfig(fsys, "vae")
	require.NoError(t, err)
	var decoder *autoencoder.Decoder
	var encoder *autoencoder.Encoder
	require.NoError(t, weights.Load(fsys, "vae", r.Runtime.Store, weights.Root(r.Runtime.Store, "/vae"), nil, func(c weights.Cursor) {
		decoder, encoder = autoencoder.NewDecoder(c, cfg), autoencoder.NewEncoder(c, cfg)
	}))
	got := golden.Run(t, r.Runtime, func(in []*Node) golden.Outputs {
		f := nn.Pass{Recorder: &nn.Recorder{}}
		last := func(x *Node) *Node { return TransposeAllAxes(x, 0, 2, 3, 1) }
		image := decoder.Apply(f, last(in[0]))
		out := r.Recorded("vae.mod.", f.Recorder, "decoder")
		out["image"] = image
		out["encode"] = MulScalar(encoder.Apply(nn.Pass{}, last(in[1])), 1/cfg.Scaling) // the fixture's is not scaled
		return out
	}, r.Tensor(t, "in.fwd_latents"), r.Tensor(t, "in.target"))
	r.Modules(t, "vae.mod.", got, tolerance, pipelinetest.ChannelsFirst)
	r.Compare(t, "vae.image", pipelinetest.ChannelsFirst(got["image"]), tolerance)
	r.Compare(t, "vae.encode", pipelinetest.ChannelsFirst(got["encode"]), tolerance)
}
