package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/peak"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
	"github.com/dualprocess/dualprocess-go/lora"
)

// open opens an order's model, writes down its inputs for the other side, and says what computes.
func open(ctx context.Context, o order) (w workload, what string, err error) {
	rt, err := backends.Open(ctx, backends.Options{Backend: o.Backend})
	if err != nil {
		return nil, "", err
	}
	rt.DType = dtypes.MapOfNames[o.DType]
	what = fmt.Sprintf("%s in %s", rt.Name, rt.DType)
	switch o.Kind {
	case tasks:
		w, err = newDistillation(ctx, rt, o)
	case pairs:
		w, err = newPairing(ctx, rt, o)
	case pictures:
		w, err = newSampling(ctx, rt, o)
	case loadings:
		w = &loading{order: o, runtime: rt}
	default:
		w, err = newProgram(ctx, rt, o)
	}
	return w, what, err
}

// newProgram prepares one model's graph.
func newProgram(ctx context.Context, rt *backends.Runtime, o order) (*program, error) {
	create := map[string]func(context.Context, *backends.Runtime, order) (*program, *handed, error){
		generators: newUpdate, verifiers: newGradient,
	}[o.Kind]
	if create == nil {
		return nil, errors.Join(fmt.Errorf("a model is a %s or a %s, not a %q", generators, verifiers, o.Kind), rt.Close())
	}
	p, h, err := create(ctx, rt, o)
	if err == nil {
		err = h.write(o.Inputs)
	}
	if err != nil {
		return nil, errors.Join(err, rt.Close())
	}
	p.runtime = rt
	return p, nil
}

// program is our side's workload: a compiled graph, whose first two outputs are the loss and the gradient's norm. The
// others are as many inputs of the next run, where they replace the first ones.
type program struct {
	*graphs.Program
	runtime *backends.Runtime
	model   io.Closer
	state   []*tensors.Tensor // that a run changes
	taken   int               // runs
	inputs  func(number int) []any
}

func (p *program) run(ctx context.Context) (loss, norm float64, err error) {
	out, err := p.Run(ctx, p.state, p.inputs(p.taken+1))
	if err != nil {
		return 0, 0, err
	}
	p.taken++
	loss, norm = float64(tensors.ToScalar[float32](out[0])), float64(tensors.ToScalar[float32](out[1]))
	graphs.Release(out[:2]...)
	next := out[2:]
	if len(p.state) == 0 {
		graphs.Release(next...)
		return loss, norm, nil
	}
	graphs.Release(p.state...)
	p.state = next
	return loss, norm, nil
}

func (p *program) peak() int64 { return peak.Process() }

func (p *program) close() error {
	p.Close()
	return errors.Join(p.model.Close(), p.runtime.Close())
}

// handed is what our side hands to PyTorch's: tensors by name, and numbers.
type handed struct {
	tensors []safetensors.Tensor
	about   map[string]any
}

// add takes a tensor of float32 or int32.
func (h *handed) add(name string, x *tensors.Tensor) error {
	t := safetensors.Tensor{Name: name, Shape: slices.Clone(x.Shape().Dimensions)}
	switch x.DType() {
	case dtypes.Float32:
		t.DType = safetensors.F32
	case dtypes.Int32:
		t.DType = safetensors.I32
	default:
		return fmt.Errorf("%s is %s, and cannot be handed to PyTorch", name, x.Shape())
	}
	if err := x.ConstBytes(func(data []byte) { t.Data = slices.Clone(data) }); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	h.tensors = append(h.tensors, t)
	return nil
}

// addAll takes conditions, in their order.
func (h *handed) addAll(cond []*tensors.Tensor) (err error) {
	for k, x := range cond {
		err = errors.Join(err, h.add(fmt.Sprintf("condition%d", k), x))
	}
	return err
}

// addInputs takes the noise of seeds and the prompt's conditions.
func (h *handed) addInputs(ctx context.Context, g dualprocess.Generator, seeds []int64) error {
	latents, err := g.Latents(seeds...)
	if err != nil {
		return err
	}
	cond, err := conditions(ctx, g)
	defer graphs.Release(append(cond, latents)...)
	if err != nil {
		return err
	}
	h.about["conditions"] = len(cond)
	return errors.Join(h.add("latents", latents), h.addAll(cond))
}

// addAdapter takes an adapter's matrices A; its B are zero.
func (h *handed) addAdapter(a *lora.Adapter) (err error) {
	params := a.Params()
	for k, l := range a.Layers() {
		err = errors.Join(err, h.add("A/"+l.Name, params[2*k]))
	}
	return err
}

// write writes the safetensors file.
func (h *handed) write(file string) error {
	about, err := json.Marshal(h.about)
	if err != nil {
		return err
	}
	return safetensors.WriteFile(file, h.tensors, map[string]string{"about": string(about)})
}

// noise is a picture [1, side, side, 3] with a number in (0, 1) at every place, none of them at a border of clamping,
// where libraries differ in the gradient.
func noise(side int) *tensors.Tensor {
	values := make([]float32, side*side*3)
	for i := range values {
		values[i] = (float32(i*7919%1009) + 0.5) / 1009
	}
	return tensors.FromFlatDataAndDimensions(values, 1, side, side, 3)
}
