package llava_test

import (
	"fmt"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
	"github.com/dualprocess/dualprocess-go/lora"
)

// exec compiles a graph function of latents, step, weight, the prompt's condition
// and an adapter's matrices.
func (e *endToEnd) exec(t *testing.T, build func(latents, i *Node, d *lora.Delta, cond, params []*Node) []*Node) func(latents *tensors.Tensor, i int, weight float64, a *lora.Adapter) []*tensors.Tensor {
	cond := e.cond
	exec, err := graphs.NewExecutor(e.rt, func(in []*Node) []*Node {
		params := in[3+len(cond):]
		return build(in[0], in[1], e.start.Delta(params, in[2]), in[3:3+len(cond)], params)
	})
	require.NoError(t, err)
	t.Cleanup(exec.Finalize)
	return func(latents *tensors.Tensor, i int, weight float64, a *lora.Adapter) []*tensors.Tensor {
		in := []any{latents, int32(i), float32(weight)}
		for _, x := range append(append([]*tensors.Tensor{}, cond...), a.Params()...) {
			in = append(in, x)
		}
		out, err := exec.Call(in...)
		require.NoError(t, err)
		return out
	}
}

// denoise takes the first steps from noise.
func (e *endToEnd) denoise(t *testing.T, latents *tensors.Tensor, steps int, weight float64, a *lora.Adapter) *tensors.Tensor {
	step := e.exec(t, func(latents, i *Node, d *lora.Delta, cond, _ []*Node) []*Node {
		return []*Node{e.generator.Step(latents, e.generator.Predict(d, latents, i, cond), i)}
	})
	for i := range steps {
		latents = step(latents, i, weight, a)[0]
	}
	return latents
}

// update returns the clean estimate's picture of an update, [1, 3, H, W] in [-1, 1],
// the gradients of all matrices and the questions' losses.
func (e *endToEnd) update(t *testing.T, k int, a *lora.Adapter) (picture []float32, grads [][]float32, losses []float32) {
	step := e.steps(t)[k]
	latents := e.denoise(t, e.Tensor(t, fmt.Sprint("in.noise", k)), step, e.about.Weight, a)
	prepared := e.prepare(t)
	run := e.exec(t, func(latents, i *Node, d *lora.Delta, cond, params []*Node) []*Node {
		image := e.generator.Decode(e.generator.Clean(latents, e.generator.Predict(d, latents, i, cond), i))
		losses := e.losses(image, prepared)
		return append([]*Node{channelsFirst(image), losses}, Gradient(ReduceAllMean(losses), params...)...)
	})
	out := run(latents, step, e.about.Weight, a)
	for _, g := range out[2:] {
		grads = append(grads, tensors.MustCopyFlatData[float32](g))
	}
	return tensors.MustCopyFlatData[float32](out[0]), grads, tensors.MustCopyFlatData[float32](out[1])
}

// channelsFirst brings pictures to the form of the fixtures: [1, 3, H, W] in [-1, 1].
func channelsFirst(image *Node) *Node {
	return AddScalar(MulScalar(TransposeAllAxes(image, 0, 3, 1, 2), 2), -1)
}

func (e *endToEnd) prepare(t *testing.T) (prepared []dualprocess.Inputs) {
	_, shape := e.Floats(t, "reflr.it0.x0_image")
	for _, q := range e.questions {
		in, err := e.verifier.Prepare(t.Context(), q, shape[2], shape[3])
		require.NoError(t, err)
		prepared = append(prepared, in)
	}
	return prepared
}

// losses are those of all questions, each over its overlay.
func (e *endToEnd) losses(image *Node, prepared []dualprocess.Inputs) *Node {
	var losses []*Node
	for k, q := range e.questions {
		var nodes []*Node
		for _, x := range prepared[k] {
			nodes = append(nodes, ConstTensor(image.Graph(), x))
		}
		losses = append(losses, Neg(e.verifier.LogProbs(under(q, image), [][]*Node{nodes})[0]))
	}
	return Concatenate(losses, 0)
}

func under(q dualprocess.Question, image *Node) *Node {
	if q.Overlay == nil {
		return image
	}
	return q.Overlay.Apply(image)
}

// look returns the pixel values and all logits for a picture of the fixture.
func (e *endToEnd) look(t *testing.T, picture []float32, q dualprocess.Question) (pixels, logits []float32) {
	_, shape := e.Floats(t, "reflr.it0.x0_image")
	in, err := e.verifier.Prepare(t.Context(), q, shape[2], shape[3])
	require.NoError(t, err)
	inputs := []any{tensors.FromFlatDataAndDimensions(picture, shape...)}
	for _, x := range in {
		inputs = append(inputs, x)
	}
	got := golden.Run(t, e.rt, func(in []*Node) golden.Outputs {
		image := MulScalar(AddScalar(TransposeAllAxes(in[0], 0, 2, 3, 1), 1), 0.5)
		f := nn.Pass{Recorder: &nn.Recorder{}}
		logits := vlm.Trace(vlmtest.Frame(e.verifier), f, under(q, image), in[1:])
		pixels := TransposeAllAxes(f.Recorder.Output("pixel_values"), 0, 3, 1, 2)
		return golden.Outputs{"logits": logits, "pixel_values": pixels}
	}, inputs...)
	return got.Floats(t, "pixel_values"), got.Floats(t, "logits")
}

// testPictures compares pictures made in all steps at several weights of the
// trained adapter, and what the verifier says of them.
func (e *endToEnd) testPictures(t *testing.T, name string, trained *lora.Adapter) {
	prepared := e.prepare(t)
	draw := e.exec(t, func(latents, _ *Node, _ *lora.Delta, _, _ []*Node) []*Node {
		image := e.generator.Decode(latents)
		return []*Node{channelsFirst(image), Reshape(ReduceAllMean(e.losses(image, prepared)), 1)}
	})
	noise, err := e.generator.Latents(evaluation)
	require.NoError(t, err)
	for _, weight := range []int{0, 1, 5} {
		out := draw(e.denoise(t, noise, e.about.Steps, float64(weight), trained), 0, 0, trained)
		e.Compare(t, fmt.Sprintf("%s.final_image_w%d", name, weight), tensors.MustCopyFlatData[float32](out[0]), 2e-4)
		if key := fmt.Sprintf("%s.final_vlm_loss_w%d", name, weight); e.Has(key) {
			e.Compare(t, key, tensors.MustCopyFlatData[float32](out[1]), 2e-4)
		}
	}
}
