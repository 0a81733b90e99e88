package sd

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/lora"
)

// sampler runs a generator step by step.
type sampler struct {
	g      *Generator
	cond   dualprocess.Inputs // of the fixture's prompt
	step   *model.Exec
	decode *model.Exec
}

func (r *reference) sampler(t *testing.T, g *Generator, a *lora.Adapter) *sampler {
	s := &sampler{g: g, cond: r.conditions(t, g)}
	var err error
	s.step, err = model.NewExec(r.rt.Backend, r.rt.Store, func(_ *model.Scope, in []*Node) []*Node {
		var delta *lora.Delta
		latents, i, cond, rest := in[0], in[1], in[2:2+len(s.cond)], in[2+len(s.cond):]
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

// denoise returns the latents after every one of the first steps.
func (s *sampler) denoise(t *testing.T, latents *tensors.Tensor, params []*tensors.Tensor, weight float64, end int) []*tensors.Tensor {
	var list []*tensors.Tensor
	for i := range end {
		in := inputs([]any{latents, int32(i)}, s.cond)
		if params != nil {
			in = inputs(append(in, float32(weight)), params)
		}
		out, err := s.step.Call(in...)
		require.NoError(t, err)
		latents = out[0]
		list = append(list, latents)
	}
	return list
}

// run returns the latents after every step and the picture.
func (s *sampler) run(t *testing.T, r *reference, a *lora.Adapter, weight float64) (latents []*tensors.Tensor, picture []float32) {
	var params []*tensors.Tensor
	if a != nil {
		params = a.Params()
	}
	latents = s.denoise(t, r.Tensor(t, "in.latents"), params, weight, s.g.Steps())
	out, err := s.decode.Call(latents[len(latents)-1])
	require.NoError(t, err)
	return latents, tensors.MustCopyFlatData[float32](out[0])
}

// pictureOf decodes to the form of the fixtures: [B, 3, H, W] in [-1, 1].
func pictureOf(g *Generator, latents *Node) *Node {
	return AddScalar(MulScalar(TransposeAllAxes(g.Decode(latents), 0, 3, 1, 2), 2), -1)
}

// testSampling compares full samplings: latents after every step, and pictures.
func (r *reference) testSampling(t *testing.T) {
	runs := map[string]bool{}
	for _, key := range r.Keys() {
		if rest, ok := strings.CutPrefix(key, "sample.ref."); ok {
			run, _, _ := strings.Cut(rest, ".")
			runs[run] = true
		}
	}
	require.NotEmpty(t, runs)
	for run := range runs {
		t.Run("ref."+run, func(t *testing.T) {
			var steps int
			_, err := fmt.Sscanf(run, "n%d", &steps)
			require.NoError(t, err)
			g := r.open(t, Options{Steps: steps, Guidance: &r.about.Spec.Guidance})
			latents, picture := r.sampler(t, g, nil).run(t, r, nil, 0)
			r.compareSampling(t, "sample.ref."+run+".", g, latents, picture)
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
			require.Equal(t, r.timesteps(t, key), g.config.Scheduler.Timesteps(g.Steps()))
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
