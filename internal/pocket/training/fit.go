package training

import (
	"fmt"
	"math"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/optim"
)

// plan is how one model is trained.
type plan struct {
	name  string
	steps int
	again int // steps of a second time, from half of the peak learning rate; 0 = none
	batch int
	seed  uint64
	adam  float64 // peak learning rate of AdamW
	muon  float64 // peak learning rate of Muon for the matrices inside blocks; 0 gives them to AdamW
	decay float64 // AdamW's weight decay
	flat  float64 // share of the steps before the cosine decay begins, the second time, too
	ema   float64 // decay of the running average that is kept as the result
	noise float64 // greatest standard deviation of what is added to latents
}

// total is the number of all steps.
func (p plan) total() int { return p.steps + p.again }

// rate is the share of the peak learning rate at a step: 60 steps of warm-up,
// flat, then a cosine down to two percent; and the same once more, half as high, if
// there is a second time (Loshchilov and Hutter 2017, warm restarts).
func (p plan) rate(step int) float64 {
	const warmUp, floor = 60, 0.02
	steps, peak := p.steps, 1.0
	if step >= p.steps && p.again > 0 {
		step, steps, peak = step-p.steps, p.again, 0.5
	}
	x := float64(step) / float64(steps)
	factor := peak
	if x > p.flat {
		factor *= floor + (1-floor)*(0.5+0.5*math.Cos(math.Pi*math.Min(1, (x-p.flat)/(1-p.flat))))
	}
	return factor * math.Min(1, float64(step+1)/warmUp)
}

// fit trains the variables of one model by a loss.
type fit struct {
	plan   plan
	source *initial
	// state has the optimiser's and the average's variables, per parameter.
	momentum, second, average []*model.Variable
	exec                      *model.Exec
	step                      int // steps done
}

// lossFn builds a scalar loss, and more scalars to be shown, from a batch.
type lossFn func(batch []*Node) (loss *Node, shown []*Node)

// newFit prepares the training of the source's variables.
func newFit(rt *backends.Runtime, p plan, source *initial, loss lossFn) (*fit, error) {
	f := &fit{plan: p, source: source}
	for i, v := range source.vars {
		for _, kind := range []struct {
			path string
			list *[]*model.Variable
			copy bool
		}{{"momentum", &f.momentum, false}, {"second", &f.second, false}, {"average", &f.average, true}} {
			value := tensors.FromShape(v.Shape())
			if kind.copy {
				value = tensors.FromFlatDataAndDimensions(source.draw(source.names[i], v.Shape().Dimensions), v.Shape().Dimensions...)
			}
			state, err := rt.Store.CreateVariable(source.root+"."+kind.path+"/"+source.names[i], value)
			if err != nil {
				return nil, fmt.Errorf("training: create state of %s: %w", source.names[i], err)
			}
			*kind.list = append(*kind.list, state.SetTrainable(false))
		}
	}
	return f, f.use(rt, loss)
}

// use changes the loss: a later phase of the same training.
func (f *fit) use(rt *backends.Runtime, loss lossFn) (err error) {
	f.exec, err = graphs.NewExecutor(rt, func(in []*Node) []*Node {
		return f.update(in, loss)
	})
	if err != nil {
		return fmt.Errorf("training: %w", err)
	}
	return nil
}

// update builds one training step; in is [step, rate] and the batch.
func (f *fit) update(in []*Node, loss lossFn) []*Node {
	step, rate, batch := in[0], in[1], in[2:]
	l, shown := loss(batch)
	g := l.Graph()
	params := make([]*Node, len(f.source.vars))
	for i, v := range f.source.vars {
		params[i] = v.NodeValue(g)
	}
	grads, norm := optim.ClipGlobalNorm(Gradient(l, params...), 1)
	adam := optim.AdamW{Beta2: 0.98, WeightDecay: f.plan.decay}
	for i, p := range params {
		var next *Node
		if f.plan.muon > 0 && isMuon(f.source.names[i], p) {
			var m *Node
			next, m = muon(p, grads[i], f.momentum[i].NodeValue(g), MulScalar(rate, f.plan.muon))
			f.momentum[i].SetNodeValue(m)
		} else {
			ps, ms, vs := adam.Update([]*Node{p}, grads[i:i+1], []*Node{f.momentum[i].NodeValue(g)},
				[]*Node{f.second[i].NodeValue(g)}, step, MulScalar(rate, f.plan.adam))
			next = ps[0]
			f.momentum[i].SetNodeValue(ms[0])
			f.second[i].SetNodeValue(vs[0])
		}
		f.source.vars[i].SetNodeValue(next)
		// A young average forgets faster, else the first weights stay in it.
		decay := MinScalar(Div(step, AddScalar(step, 10)), f.plan.ema)
		average := f.average[i].NodeValue(g)
		f.average[i].SetNodeValue(Add(next, Mul(decay, Sub(average, next))))
	}
	return append([]*Node{l, norm}, shown...)
}

// isMuon says whether Muon trains a parameter: the matrices inside blocks.
func isMuon(name string, p *Node) bool {
	return p.Rank() == 2 && (strings.Contains(name, "blocks.") || strings.Contains(name, "layers.")) &&
		!strings.HasSuffix(name, "scale_shift_table")
}

// run does one step on a batch and returns the loss, the gradient's norm and
// what the loss function shows.
func (f *fit) run(batch []*tensors.Tensor) ([]float32, error) {
	args := []any{float32(f.step + 1), float32(f.plan.rate(f.step))}
	for _, t := range batch {
		args = append(args, t)
	}
	out, err := f.exec.Call(args...)
	if err != nil {
		return nil, fmt.Errorf("training: %s step %d: %w", f.plan.name, f.step, err)
	}
	values := make([]float32, len(out))
	for i, t := range out {
		values[i] = tensors.ToScalar[float32](t)
		t.FinalizeAll()
	}
	for _, t := range batch {
		t.FinalizeAll()
	}
	f.step++
	if x := float64(values[0]); math.IsNaN(x) || math.IsInf(x, 0) {
		return values, fmt.Errorf("training: %s step %d: the loss is %v", f.plan.name, f.step, x)
	}
	return values, nil
}

// floats makes a float32 tensor.
func floats(data []float32, dims ...int) *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(data, dims...)
}
