package flux

import (
	"fmt"
	"os"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/lora"
)

// Tolerances of the fixtures' README, relative to the largest element.
const (
	tolerance         = 2e-5 // outputs
	gradientTolerance = 1e-4
)

// reference is a fixture: what diffusers, peft and the paper's code computed.
type reference struct {
	*golden.Fixture
	rt    *backends.Runtime
	about about
	cond  dualprocess.Inputs // of the prompt
}

// about is what the tests need of golden.json.
type about struct {
	Prompt string
	Spec   struct {
		Family        string
		Height, Width int
		Steps, Rank   int
		Seq           int
		Guidance      float64
		TrainGuidance float64  `json:"train_guidance"`
		TrainSteps    []int    `json:"train_i"`
		Train4Steps   []int    `json:"train4_i"`
		Targets       []string `json:"targets"`
	}
	Lora struct {
		Alpha   float64 `json:"lora_alpha"`
		Modules []string
	}
	LossScale float64 `json:"toy_loss_scale_training"`
}

// elsewhere are groups of keys that the packages text and autoencoder compare,
// and the inputs.
var elsewhere = []string{"text.t5.", "text.clip.", "vae.", "in."}

// TestGolden compares everything that the fixtures hold about FLUX.
func TestGolden(t *testing.T) {
	rt := golden.Runtime(t)
	found := false
	for _, f := range golden.Fixtures(t, golden.Generator) {
		r := &reference{Fixture: f, rt: rt}
		f.Decode(t, &r.about)
		if r.about.Spec.Family != "flux" {
			continue // generator's tests see to it that every family is compared
		}
		found = true
		groups := []struct {
			name string
			test func(*testing.T)
		}{
			{"sched", r.testSchedule}, {"fwd", r.testForward}, {"sample", r.testSampling},
			{"latgrad", r.testLatentGradients}, {"lora", r.testLora}, {"train", r.testTraining},
			{"distill", r.testDistill},
		}
		t.Run(f.Name, func(t *testing.T) {
			for _, group := range groups {
				t.Run(group.name, group.test)
			}
			t.Run("every key", r.testCovered)
		})
	}
	require.True(t, found)
}

// testCovered fails for keys that no test asked for.
func (r *reference) testCovered(t *testing.T) {
	for _, key := range r.Unread() {
		known := false
		for _, prefix := range elsewhere {
			known = known || strings.HasPrefix(key, prefix)
		}
		require.True(t, known, "nobody compares %s", key)
	}
}

// open opens the fixture's model at the size of its pictures.
func (r *reference) open(t *testing.T, o Options) *Generator {
	o.Height, o.Width, o.TextTokens = r.about.Spec.Height, r.about.Spec.Width, r.about.Spec.Seq
	g, err := Open(t.Context(), r.rt, r.Path("model"), o)
	require.NoError(t, err)
	if r.cond == nil {
		r.cond, err = g.Encode(t.Context(), r.about.Prompt)
		require.NoError(t, err)
	}
	return g
}

// guided is the option for a guidance, which schnell does not have.
func (r *reference) guided(t *testing.T, guidance float64) *float64 {
	c, err := ReadConfig(os.DirFS(r.Path("model")))
	require.NoError(t, err)
	if !c.Transformer.Guidance {
		return nil
	}
	return &guidance
}

func (r *reference) testSchedule(t *testing.T) {
	c, err := ReadConfig(os.DirFS(r.Path("model")))
	require.NoError(t, err)
	static := c.Scheduler
	static.Dynamic = false
	for _, key := range r.Keys() {
		var n, tokens int
		var part string
		got := []float32{}
		if k, _ := fmt.Sscanf(strings.Replace(key, ".", " ", 2), "sched train%d %s", &n, &part); k == 2 {
			got = static.Sigmas(n, 0)
			if part == "timesteps" {
				for i := range got {
					got[i] *= float32(c.Scheduler.TrainTimesteps)
				}
			} else {
				got = append(got, 0)
			}
		} else if k, _ := fmt.Sscanf(key, "sched.pipe.seq%d.n%d.sigmas", &tokens, &n); k == 2 {
			got = append(c.Scheduler.Sigmas(n, tokens), 0)
		} else if k, _ := fmt.Sscanf(key, "sched.pipe.seq%d.%s", &tokens, &part); k == 2 && part == "mu" {
			got = append(got, float32(c.Scheduler.mu(tokens)))
		} else {
			continue
		}
		t.Run(key, func(t *testing.T) { r.Compare(t, key, got, 1e-7) })
	}
}

// testForward compares one call of the transformer at two times, and in the
// second one every module's output.
func (r *reference) testForward(t *testing.T) {
	for _, call := range []string{"fwd0", "fwd1"} {
		guidance, _ := r.Floats(t, call+".guidance_scale")
		time, _ := r.Floats(t, call+".t")
		g := r.open(t, Options{Guidance: r.guided(t, float64(guidance[0]))})
		got := golden.Run(t, r.rt, func(p *nn.Probe, in []*Node) {
			input := g.inputs(in[0], in[1], in[2:])
			p.See("model_pred", g.transformer.apply(p, nil, input, false))
			cos, sin := input.rotary.Nodes(in[0].Graph())
			p.See("pos_embed.0", twice(cos))
			p.See("pos_embed.1", twice(sin))
		}, r.Tensor(t, "in.fwd_latents"), modelTime(time[0]), r.cond[0], r.cond[1])
		r.Compare(t, call+".model_pred", got.Floats(t, "model_pred"), tolerance)
		if call == "fwd1" {
			r.Modules(t, "fwd1.mod.", got, tolerance, nil)
			r.comparePositions(t, g)
		}
	}
}

// comparePositions compares the ids from which the reference makes its rotary
// embedding; ours are the angles themselves.
func (r *reference) comparePositions(t *testing.T, g *Generator) {
	var want []float32
	for row := range g.rows {
		for col := range g.cols {
			want = append(want, 0, float32(row), float32(col))
		}
	}
	r.Compare(t, "fwd.img_ids", want, 0)
	words, _ := r.Floats(t, "text.txt_ids")
	require.Equal(t, make([]float32, 3*g.options.TextTokens), words)
}

// twice repeats every number of a table [1, S, 1, D/2, 1] as the reference's
// tables do: [S, D].
func twice(table *Node) *Node {
	d := table.Shape().Dimensions
	return Reshape(BroadcastToDims(table, 1, d[1], 1, d[3], 2), d[1], 2*d[3])
}

// sampler runs a generator step by step.
type sampler struct {
	g      *Generator
	step   *model.Exec
	decode *model.Exec
}

func (r *reference) sampler(t *testing.T, g *Generator, a *lora.Adapter) *sampler {
	s := &sampler{g: g}
	var err error
	s.step, err = model.NewExec(r.rt.Backend, r.rt.Store, func(_ *model.Scope, in []*Node) []*Node {
		var delta *lora.Delta
		latents, i, cond, rest := in[0], in[1], in[2:4], in[4:]
		if a != nil {
			delta = a.Delta(rest[1:], rest[0])
		}
		return []*Node{g.Step(latents, g.Predict(delta, latents, i, cond), i)}
	})
	require.NoError(t, err)
	s.decode, err = model.NewExec(r.rt.Backend, r.rt.Store, func(_ *model.Scope, in []*Node) []*Node {
		return []*Node{pictureOf(g, in[0])}
	})
	require.NoError(t, err)
	t.Cleanup(func() { s.step.Finalize(); s.decode.Finalize() })
	return s
}

// run returns the latents after every step and the picture.
func (s *sampler) run(t *testing.T, r *reference, a *lora.Adapter, weight float64) (latents []*tensors.Tensor, picture []float32) {
	at := r.Tensor(t, "in.latents")
	for i := range s.g.Steps() {
		in := []any{at, int32(i), r.cond[0], r.cond[1]}
		if a != nil {
			in = append(in, float32(weight))
			for _, p := range a.Params() {
				in = append(in, p)
			}
		}
		out, err := s.step.Call(in...)
		require.NoError(t, err)
		at = out[0]
		latents = append(latents, at)
	}
	out, err := s.decode.Call(at)
	require.NoError(t, err)
	return latents, tensors.MustCopyFlatData[float32](out[0])
}

// pictureOf decodes to the form of the fixtures: [B, 3, H, W] in [-1, 1].
func pictureOf(g *Generator, latents *Node) *Node {
	return AddScalar(MulScalar(TransposeAllAxes(g.Decode(latents), 0, 3, 1, 2), 2), -1)
}

// testSampling compares full samplings: latents after every step, and pictures.
func (r *reference) testSampling(t *testing.T) {
	runs := map[[2]string]bool{}
	for _, key := range r.Keys() {
		if parts := strings.Split(key, "."); parts[0] == "sample" {
			runs[[2]string{parts[1], parts[2]}] = true
		}
	}
	require.NotEmpty(t, runs)
	for run := range runs {
		t.Run(run[0]+"."+run[1], func(t *testing.T) {
			var steps int
			_, err := fmt.Sscanf(run[1], "n%d", &steps)
			require.NoError(t, err)
			require.Contains(t, []string{"ref", "dynamic"}, run[0])
			g := r.open(t, Options{Steps: steps, StaticShift: run[0] == "ref", Guidance: r.guided(t, r.about.Spec.Guidance)})
			latents, picture := r.sampler(t, g, nil).run(t, r, nil, 0)
			r.compareSampling(t, "sample."+run[0]+"."+run[1]+".", g, latents, picture)
		})
	}
}

func (r *reference) compareSampling(t *testing.T, prefix string, g *Generator, latents []*tensors.Tensor, picture []float32) {
	for _, key := range r.Keys() {
		part, ok := strings.CutPrefix(key, prefix)
		if !ok {
			continue
		}
		var after int
		switch {
		case part == "sched_timesteps":
			r.Compare(t, key, g.schedule.times[:g.Steps()], 1e-6)
		case part == "sched_sigmas":
			r.Compare(t, key, append(append([]float32{}, g.schedule.sigmas[:g.Steps()]...), g.schedule.next[g.Steps()-1]), 1e-7)
		case part == "image_raw":
			r.Compare(t, key, picture, tolerance)
		case part == "image01":
			r.Compare(t, key, clamped(picture), tolerance)
		default:
			_, err := fmt.Sscanf(part, "latents_after%d", &after)
			require.NoError(t, err, key)
			r.Compare(t, key, tensors.MustCopyFlatData[float32](latents[after-1]), tolerance)
		}
	}
}

// clamped brings a picture from [-1, 1] to [0, 1].
func clamped(picture []float32) []float32 {
	out := make([]float32, len(picture))
	for i, v := range picture {
		out[i] = min(max(v/2+0.5, 0), 1)
	}
	return out
}
