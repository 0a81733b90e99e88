package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/generator/flux"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
	"github.com/dualprocess/dualprocess-go/internal/smi"
	"github.com/dualprocess/dualprocess-go/verifier/qwen25vl"
)

// Golden is how far numbers are from those of PyTorch, which computed in float32.
type Golden struct {
	What  string  `json:"what"`
	DType string  `json:"dtype"`
	Off   float64 `json:"off"` // norm of the difference, over the norm
	Right bool    `json:"right"`
}

// tolerances of Golden.Off. A card computes float32 in TF32, which keeps as many digits as float16.
var tolerances = map[dtypes.DType]float64{dtypes.Float32: 0.01, dtypes.BFloat16: 0.1}

// golden compares a picture of a generator, and the loss and the gradient of a verifier.
func (s settings) golden(ctx context.Context, r *Report) error {
	for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.BFloat16} {
		rt, err := backends.Open(ctx, backends.Options{Backend: s.backend})
		if err != nil {
			return err
		}
		r.Reason, r.Device = rt.Reason, smi.Ask(ctx, "0", "name,memory.total,driver_version")
		rt.DType = dtype
		for _, c := range []comparison{{"generator/flux_schnell", picture}, {"verifier/qwen2_5_vl", gradient}} {
			found, err := c.check(ctx, rt, filepath.Join(s.fixtures, filepath.FromSlash(c.fixture)))
			r.fail(fmt.Sprintf("golden %s in %s", c.fixture, dtype), err)
			for _, name := range slices.Sorted(maps.Keys(found)) {
				r.compare(Golden{c.fixture + ": " + name, dtype.String(), found[name], found[name] <= tolerances[dtype]})
			}
		}
		r.fail("close", rt.Close())
	}
	return nil
}

// comparison says by names how far what a fixture's model computes is from the fixture's numbers.
type comparison struct {
	fixture string
	check   func(ctx context.Context, rt *backends.Runtime, folder string) (off map[string]float64, err error)
}

// compare adds a number to the report.
func (r *Report) compare(g Golden) {
	r.Golden = append(r.Golden, g)
	fmt.Fprintf(os.Stderr, "%s in %s: off by %.2g\n", g.What, g.DType, g.Off)
	if !g.Right {
		r.fail("golden", fmt.Errorf("%s in %s is off by %.2g", g.What, g.DType, g.Off))
	}
}

// picture paints in one step from the fixture's latents.
func picture(ctx context.Context, rt *backends.Runtime, folder string) (map[string]float64, error) {
	g, err := flux.Open(ctx, rt, filepath.Join(folder, "model"), flux.Options{Height: 64, Width: 64, Steps: 1, TextTokens: 32})
	if err != nil {
		return nil, err
	}
	cond, err := g.Encode(ctx, "A photo of a red horse standing on the old bridge, 35 mm")
	if err != nil {
		return nil, err
	}
	exec, err := graphs.NewExecutor(rt, func(in []*Node) []*Node {
		i := Const(in[0].Graph(), int32(0))
		prediction := g.Predict(nil, in[0], i, in[1:])
		picture := ConvertDType(g.Decode(g.Step(in[0], prediction, i)), dtypes.Float32)
		return []*Node{ClipScalar(picture, 0, 1)} // as the pipeline returns it
	})
	if err != nil {
		return nil, err
	}
	return compared(folder, exec.Call, []string{"sample.ref.n1.image01"}, "in.latents", cond)
}

// gradient asks the fixture's question about its picture, as the paper's reference does.
func gradient(ctx context.Context, rt *backends.Runtime, folder string) (map[string]float64, error) {
	v, err := qwen25vl.Open(ctx, rt, filepath.Join(folder, "model"), qwen25vl.Options{Paper: true})
	if err != nil {
		return nil, err
	}
	in, err := v.Prepare(ctx, dualprocess.Question{
		Text: "Is the horizon in the upper half of this image? Answer with Yes or No.", Bare: true, Answer: "Yes",
	}, 150, 150)
	if err != nil {
		return nil, err
	}
	exec, err := graphs.NewExecutor(rt, func(in []*Node) []*Node {
		loss := Neg(ReduceAllSum(v.LogProbs(in[0], [][]*Node{in[1:]})[0]))
		return []*Node{loss, Gradient(loss, in[0])[0]}
	})
	if err != nil {
		return nil, err
	}
	return compared(folder, exec.Call, []string{"a.loss", "a.grad_image"}, "image", in)
}

// compared computes from one of the fixture's tensors and other inputs, and says how far each result is off.
func compared(
	folder string, call func(...any) ([]*tensors.Tensor, error), want []string, first string, rest dualprocess.Inputs,
) (map[string]float64, error) {
	file, err := safetensors.OpenFile(filepath.Join(folder, "golden.safetensors"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it is only read
	values, shape, err := read(file, first)
	if err != nil {
		return nil, err
	}
	args := []any{tensors.FromFlatDataAndDimensions(values, shape...)}
	for _, t := range rest {
		args = append(args, t)
	}
	got, err := call(args...)
	if err != nil {
		return nil, err
	}
	off := map[string]float64{}
	for i, name := range want {
		wanted, _, err := read(file, name)
		if err != nil {
			return nil, err
		}
		if off[name], err = golden.Distance(wanted, tensors.MustCopyFlatData[float32](got[i])); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return off, nil
}

// read returns a tensor, and pictures [B, 3, H, W] as we have them: [B, H, W, 3].
func read(file *safetensors.File, name string) ([]float32, []int, error) {
	values, err := file.Float32s(name)
	if err != nil {
		return nil, nil, err
	}
	info, _ := file.Info(name)
	shape := info.Shape
	if len(shape) != 4 || shape[1] != 3 {
		return values, shape, nil
	}
	pixels := shape[2] * shape[3]
	turned := make([]float32, len(values))
	for i := range values {
		b, channel, pixel := i/(3*pixels), i/pixels%3, i%pixels
		turned[(b*pixels+pixel)*3+channel] = values[i]
	}
	return turned, []int{shape[0], shape[2], shape[3], 3}, nil
}
