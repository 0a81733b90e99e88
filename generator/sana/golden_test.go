package sana

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
)

// Tolerances of the fixtures' README, relative to the largest element.
const (
	tolerance         = 2e-4 // outputs
	gradientTolerance = 5e-4
)

// reference is a fixture: what diffusers, peft and the paper's code computed.
type reference struct {
	*golden.Fixture
	rt    *backends.Runtime
	about about
	conds map[string]dualprocess.Inputs // of the prompt, by the generator's settings

	decode *model.Exec // of picture
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
		Targets       []string `json:"targets"`
		LearningRate  float64  `json:"lr"`
	}
	Lora struct {
		Alpha   float64 `json:"lora_alpha"`
		Modules []string
	}
	LossScale float64 `json:"toy_loss_scale_training"`
}

// elsewhere are groups of keys that the packages text and autoencoder compare,
// and the inputs.
var elsewhere = []string{"text.gemma.ids_plain", "text.gemma.mask_plain", "text.gemma.out_plain", "text.gemma.mod.", "vae.", "in."}

// TestGolden compares everything that the fixtures hold about Sana.
func TestGolden(t *testing.T) {
	rt := golden.Runtime(t)
	found := false
	for _, f := range golden.Fixtures(t, golden.Generator) {
		r := &reference{Fixture: f, rt: rt, conds: map[string]dualprocess.Inputs{}}
		f.Decode(t, &r.about)
		if r.about.Spec.Family != "sana" {
			continue // generator's tests see to it that every family is compared
		}
		found = true
		groups := []struct {
			name string
			test func(*testing.T)
		}{
			{"text", r.testText}, {"sched", r.testSchedule}, {"fwd", r.testForward}, {"sample", r.testSampling},
			{"latgrad", r.testLatentGradients}, {"lora", r.testLora}, {"train", r.testTraining}, {"distill", r.testDistill},
		}
		t.Run(f.Name, func(t *testing.T) {
			for _, group := range groups {
				t.Run(group.name, group.test)
			}
			t.Run("every key", r.testCovered)
			if r.decode != nil {
				r.decode.Finalize()
			}
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

// paper are the settings of the paper's reference: Euler's steps without a shift,
// and no instruction.
func (r *reference) paper(steps int, guidance float64) Options {
	return Options{Steps: steps, Guidance: &guidance, Solver: Euler, Shift: 1, Instruction: new("")}
}

// open opens the fixture's model at the size of its pictures.
func (r *reference) open(t *testing.T, o Options) *Generator {
	o.Height, o.Width, o.TextTokens = r.about.Spec.Height, r.about.Spec.Width, r.about.Spec.Seq
	g, err := Open(t.Context(), r.rt, r.Path("model"), o)
	require.NoError(t, err)
	return g
}

// cond encodes the fixture's prompt.
func (r *reference) cond(t *testing.T, g *Generator) dualprocess.Inputs {
	key := fmt.Sprint(g.guided(), *g.options.Instruction)
	if r.conds[key] == nil {
		var err error
		r.conds[key], err = g.Encode(t.Context(), r.about.Prompt)
		require.NoError(t, err)
	}
	return r.conds[key]
}

// testText compares what the pipeline makes of prompts, with and without the
// instruction.
func (r *reference) testText(t *testing.T) {
	g := r.open(t, Options{Guidance: new(2.0)})
	count, err := g.encoder.plain.Count(DefaultInstruction)
	require.NoError(t, err)
	require.Equal(t, r.Ints(t, "text.gemma.chi_num_tokens"), []int32{int32(count)})
	ids, err := g.encoder.instructed.IDs(DefaultInstruction + clean(r.about.Prompt))
	require.NoError(t, err)
	require.Equal(t, r.Ints(t, "text.gemma.ids_chi"), ids)

	chi, plain := r.cond(t, g), r.cond(t, r.open(t, r.paper(1, 2)))
	r.equalMasks(t, "text.sana.mask_chi", chi[1])
	r.equalMasks(t, "text.sana.neg_mask", chi[3])
	r.equalMasks(t, "text.sana.mask_train", plain[3], plain[1])
	r.compareWords(t, "text.sana.embeds_chi", chi[0], chi[1])
	r.compareWords(t, "text.sana.neg_embeds", chi[2], chi[3])
	r.compareWords(t, "text.sana.embeds_train", plain[2], plain[3], plain[0], plain[1])
}

func (r *reference) testSchedule(t *testing.T) {
	c, err := ReadConfig(os.DirFS(r.Path("model")))
	require.NoError(t, err)
	for _, key := range r.Keys() {
		var n, shift int
		var part string
		s := c.Scheduler
		var sigmas, times []float32
		switch text := strings.ReplaceAll(key, ".", " "); {
		case scan(text, "sched train%d %s", &n, &part):
			s.Shift = 1 // as the paper's reference has it
			sigmas = s.Levels(n)
			times = s.timesteps(sigmas)
		case scan(text, "sched euler_shift%d n%d %s", &shift, &n, &part):
			s.Shift = float64(shift)
			sigmas = s.EulerSigmas(n)
			times = s.timesteps(sigmas)
		case scan(text, "sched dpm n%d %s", &n, &part):
			sigmas, times = s.DPMSigmas(n)
		default:
			continue
		}
		t.Run(key, func(t *testing.T) {
			got := append(sigmas, 0)
			if part == "timesteps" {
				got = times
			}
			r.Compare(t, key, got, 1.2e-7)
		})
	}
}

// scan says whether text has exactly the form of the format.
func scan(text, format string, values ...any) bool {
	n, err := fmt.Sscanf(text, format, values...)
	return err == nil && n == len(values)
}

// testForward compares one call of the transformer at two times, and in the
// second one every module's output.
func (r *reference) testForward(t *testing.T) {
	for _, call := range []string{"fwd0", "fwd1"} {
		guidance, _ := r.Floats(t, call+".guidance_scale")
		time, _ := r.Floats(t, call+".t")
		g := r.open(t, r.paper(1, float64(guidance[0])))
		cond := r.cond(t, g)
		got := golden.Run(t, r.rt, func(p *nn.Probe, in []*Node) {
			p.See("model_pred", g.predict(p, nil, in[0], in[1], in[2:]))
		}, flatten(r.Tensor(t, "in.fwd_latents"), rowsOf(time[0], len(cond)/2), cond)...)
		r.Compare(t, call+".model_pred", got.Floats(t, "model_pred"), tolerance)
		if call == "fwd1" {
			r.Modules(t, "fwd1.mod.", got, tolerance, channelsFirst)
		}
	}
}

// rowsOf repeats a time for every row of the transformer's batch.
func rowsOf(time float32, rows int) *tensors.Tensor {
	values := make([]float32, rows)
	for i := range values {
		values[i] = time
	}
	return tensors.FromFlatDataAndDimensions(values, rows)
}

// flatten lists inputs of a graph.
func flatten(inputs ...any) []any {
	var flat []any
	for _, in := range inputs {
		switch in := in.(type) {
		case []any:
			flat = append(flat, flatten(in...)...)
		case dualprocess.Inputs:
			flat = append(flat, flatten([]*tensors.Tensor(in))...)
		case []*tensors.Tensor:
			for _, x := range in {
				flat = append(flat, x)
			}
		default:
			flat = append(flat, in)
		}
	}
	return flat
}

// channelsFirst returns the elements of [B, H, W, C] in the order of [B, C, H, W],
// and those of other tensors as they are.
func channelsFirst(x *tensors.Tensor) []float32 {
	values, d := tensors.MustCopyFlatData[float32](x), x.Shape().Dimensions
	if len(d) != 4 {
		return values
	}
	out, picture := make([]float32, 0, len(values)), d[1]*d[2]*d[3]
	for b := range d[0] {
		for c := range d[3] {
			for i := c; i < picture; i += d[3] {
				out = append(out, values[b*picture+i])
			}
		}
	}
	return out
}

// equalMasks compares masks, behind each other.
func (r *reference) equalMasks(t *testing.T, key string, masks ...*tensors.Tensor) {
	var got []int32
	for _, mask := range masks {
		for _, v := range tensors.MustCopyFlatData[float32](mask) {
			got = append(got, int32(v))
		}
	}
	require.Equal(t, r.Ints(t, key), got)
}

// compareWords compares states, [1, T, width] with a mask each, behind each other:
// those of padding have no meaning.
func (r *reference) compareWords(t *testing.T, key string, statesAndMasks ...*tensors.Tensor) {
	want, shape := r.Floats(t, key)
	width := shape[len(shape)-1]
	var got []float32
	for i := 0; i < len(statesAndMasks); i += 2 {
		mask := tensors.MustCopyFlatData[float32](statesAndMasks[i+1])
		for k, v := range tensors.MustCopyFlatData[float32](statesAndMasks[i]) {
			if mask[k/width] == 0 {
				v = want[len(got)]
			}
			got = append(got, v)
		}
	}
	r.Compare(t, key, got, tolerance)
}

// pictureOf decodes to the form of the fixtures: [B, 3, H, W] in [-1, 1].
func pictureOf(g *Generator, latents *Node) *Node {
	return AddScalar(MulScalar(TransposeAllAxes(g.Decode(latents), 0, 3, 1, 2), 2), -1)
}
