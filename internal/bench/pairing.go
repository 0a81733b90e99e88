package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
	"github.com/dualprocess/dualprocess-go/lora"
)

// pairs is the kind of orders for whole updates that PyTorch's side makes, too.
const pairs = "pair"

// pairing is a distillation that writes down, when its last update is made, what PyTorch's side needs to make the same.
type pairing struct {
	*distillation
	order  order
	handed *handed
	steps  []int // with gradient, of the updates made
}

// newPairing opens both models for updates as users make them: with the settings that the generator suggests, and any of
// its steps with gradient.
func newPairing(ctx context.Context, rt *backends.Runtime, o order) (*pairing, error) {
	d, err := newDistillation(ctx, rt, o)
	if err != nil {
		return nil, err
	}
	p := &pairing{distillation: d, order: o}
	t := &d.task
	t.Updates, t.EndStep, t.LearningRate, t.Adapter, t.Split = o.Updates, 0, 0, lora.Config{}, o.Sparing
	for k := range o.Updates {
		t.Seeds = append(t.Seeds, int64(k+1))
	}
	if t.Start, err = newAdapter(rt, t.Generator, lora.Gaussian); err == nil {
		err = p.begin(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return p, nil
}

// begin takes what the updates begin with.
func (p *pairing) begin(ctx context.Context) error {
	t := p.task
	questions, err := prepare(ctx, t.Verifier, p.order)
	if err != nil {
		return err
	}
	p.handed = &handed{about: map[string]any{"rank": rank, "alpha": alpha, "weight": t.Start.Weight(), "clip": clip}}
	return errors.Join(p.handed.addInputs(ctx, t.Generator, t.Seeds), p.handed.addAdapter(t.Start),
		p.handed.addQuestions(vlmtest.Frame(t.Verifier), p.order.Side, questions))
}

// run makes one update. All are of one learning rate.
func (p *pairing) run(ctx context.Context) (loss, norm float64, err error) {
	if len(p.steps) == p.order.Updates {
		return 0, 0, fmt.Errorf("the order is of %d updates, which are made", p.order.Updates)
	}
	u, err := p.advance(ctx)
	if err != nil {
		return 0, 0, err
	}
	if u.Skipped {
		return 0, 0, fmt.Errorf("update %d was skipped: its %s is not finite", u.Number, u.Fault)
	}
	p.steps, p.handed.about["rate"] = append(p.steps, u.Step), u.LearningRate
	return u.Loss, u.GradientNorm, nil
}

// tell says which step had the gradient and, after the last update, leaves what PyTorch's side needs.
func (p *pairing) tell(r *reply) {
	r.Steps = p.steps
	if len(p.steps) < p.order.Updates {
		return
	}
	if err := p.leave(); err != nil {
		r.Error = err.Error()
	}
}

// leave writes the adapter as it was trained, and all that was handed.
func (p *pairing) leave() error {
	trained, err := p.finish()
	if err != nil {
		return err
	}
	p.handed.about["steps"] = p.steps
	return errors.Join(trained.Save(p.order.Adapter, lora.SaveOptions{}), p.handed.write(p.order.Inputs))
}
