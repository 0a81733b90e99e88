package dualprocess

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/internal/optim"
	"github.com/dualprocess/dualprocess-go/lora"
)

// newDistiller prepares prompts, questions, adapter and programs, once. What it
// returns is to be closed even if there is an error.
func newDistiller(ctx context.Context, t Task) (d *distiller, err error) {
	d = &distiller{Task: t, draws: newDraws(t), stop: stopper{StopAt: t.StopAt}}
	d.optimizer = optim.AdamW{Beta1: t.Beta1, Beta2: t.Beta2, Epsilon: t.Epsilon, WeightDecay: t.WeightDecay}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	if d.conditions, err = encode(ctx, t.Generator, slices.Concat(t.Prompts, t.Preserve.Prompts)); err != nil {
		return d, err
	}
	plan, err := trace(t.Runtime, t.Generator, d.conditions)
	if err != nil {
		return d, err
	}
	if d.exam, err = newExam(ctx, t.Verifier, t.Questions, plan.height, plan.width); err != nil {
		return d, err
	}
	if err = freeEncoders(t.Generator, t.Verifier); err != nil {
		return d, err
	}
	if d.adapter, err = t.newAdapter(plan.layers); err != nil {
		return d, err
	}
	d.state = newState(d.adapter)
	if t.Accumulate > 1 {
		d.zeroSums = append(zeros(d.state.params), tensors.FromShape(d.metricsShape()))
	}
	if d.denoiser, err = newDenoiser(t.Runtime, t.Generator, d.adapter, d.conditions); err != nil {
		return d, err
	}
	d.programs, err = d.newPrograms()
	d.Logger.Info("distil", "backend", t.Runtime.Name, "layers", len(d.adapter.Layers()), "updates", t.Updates,
		"height", plan.height, "width", plan.width)
	return d, err
}

// freeEncoders lets go of weights that only preparing needs.
func freeEncoders(models ...any) error {
	for _, m := range models {
		if r, ok := m.(Releaser); ok {
			if err := r.Release(); err != nil {
				return fmt.Errorf("dualprocess: release %T: %w", m, err)
			}
		}
	}
	return nil
}

// newAdapter returns the adapter that training starts from.
func (t *Task) newAdapter(layers []lora.Layer) (*lora.Adapter, error) {
	if t.Start != nil {
		return t.Start.WithWeight(t.Weight), fits("Start", t.Start, layers)
	}
	if len(layers) == 0 {
		return nil, invalid("Generator", "has no layer that can be adapted")
	}
	a, err := lora.New(t.Adapter, layers)
	if err != nil {
		return nil, fmt.Errorf("%w: Adapter: %w", ErrTask, err)
	}
	return a.WithWeight(t.Weight), nil
}

// fits returns an error that names the field unless every layer of the adapter is
// one of the generator's.
func fits(field string, a *lora.Adapter, layers []lora.Layer) error {
	if err := a.Fits(layers); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrTask, field, err)
	}
	return nil
}

// newState starts an adapter with moments of zero.
func newState(a *lora.Adapter) state {
	params := a.Params()
	return state{params: params, m: zeros(params), v: zeros(params)}
}

// zeros returns tensors of zeros with the shapes of values.
func zeros(values []*tensors.Tensor) []*tensors.Tensor {
	out := make([]*tensors.Tensor, len(values))
	for k, x := range values {
		out[k] = tensors.FromShape(x.Shape())
	}
	return out
}

// programs are the compiled graphs of a task; those that it does not need are
// nil.
type programs struct {
	renoise            *program
	update             *program // a whole update, or
	accumulate, finish *program // several micro-batches and then the rest of it
	decode, rate       *program // of validation
}

func (d *distiller) newPrograms() (p programs, err error) {
	create := func(field **program, name string, build func(*cursor) []*graph.Node) {
		if err == nil {
			*field, err = newProgram(d.Runtime, name, build)
		}
	}
	if d.Timesteps == Renoise {
		create(&p.renoise, "add noise again", d.renoise)
	}
	if d.Accumulate == 1 {
		create(&p.update, "update", d.fused)
	} else {
		create(&p.accumulate, "gradient of a micro-batch", d.accumulate)
		create(&p.finish, "update", d.finish)
	}
	if d.StopAt.Seeds != nil {
		create(&p.decode, "decode", d.denoiser.decode)
		create(&p.rate, "rate pictures", d.exam.rate)
	}
	return p, err
}

func (p *programs) close() {
	for _, program := range []*program{p.renoise, p.update, p.accumulate, p.finish, p.decode, p.rate} {
		program.close()
	}
}

// metricsShape is that of the vector of measurements of a micro-batch.
func (d *distiller) metricsShape() shapes.Shape {
	return shapes.Make(dtypes.Float32, metricP+len(d.Questions))
}

// readMetrics makes an Update of the vector that an update's program returns.
func readMetrics(metrics []float32, questions int) Update {
	u := Update{
		Loss:         float64(metrics[metricLoss]),
		Drift:        float64(metrics[metricDrift]),
		Preserved:    float64(metrics[metricPreserved]),
		GradientNorm: float64(metrics[metricP+questions]),
		Skipped:      metrics[metricP+questions+1] != 1,
	}
	for _, p := range metrics[metricP : metricP+questions] {
		u.P = append(u.P, float64(p))
	}
	u.MeanP = mean(u.P)
	switch {
	case !u.Skipped:
	case metrics[metricBadPicture] != 0:
		u.Fault = "picture"
	case metrics[metricBadLoss] != 0:
		u.Fault = "loss"
	default:
		u.Fault = "gradient"
	}
	return u
}

// mean of no values is NaN.
func mean(values []float64) float64 {
	sum := 0.0
	for _, x := range values {
		sum += x
	}
	if len(values) == 0 {
		return math.NaN()
	}
	return sum / float64(len(values))
}
