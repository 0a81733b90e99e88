package main

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/peak"
	"github.com/dualprocess/dualprocess-go/lora"
	"github.com/dualprocess/dualprocess-go/verifier"
)

// scale says how large a task is.
type scale struct {
	Side      int `json:"side"` // of the picture, in pixels
	Questions int `json:"questions"`
	Batch     int `json:"batch"`
	Rank      int `json:"rank"` // of the adapter
}

// asked are the questions of tasks, of which a scale takes the first ones.
var asked = []string{
	"Is the horizon in the upper half of this image?", "Is there a tree in this image?", "Is it night?", "Are there clouds in the sky?",
	"Does the road lead to a house?", "Is this a painting?", "Are there birds in this image?", "Is the grass taller than the fence?",
	"Is the light coming from the left?", "Does the image show a person?",
}

// task opens the models of an order for a whole update, of its scale.
func (o order) task(ctx context.Context, rt *backends.Runtime) (t dualprocess.Task, models []io.Closer, err error) {
	g, err := o.generator(ctx, rt, o.Scale.Side)
	if err != nil {
		return t, nil, err
	}
	models = append(models, g)
	v, err := verifier.Open(ctx, rt, o.Verifier, verifier.Options{Checkpoint: o.checkpointing()})
	if err != nil {
		return t, models, err
	}
	models = append(models, v)
	t = dualprocess.Task{
		Runtime: rt, Generator: g, Verifier: v, Prompts: []string{prompt}, Batch: o.Scale.Batch,
		Adapter: lora.Config{Rank: o.Scale.Rank}, LearningRate: rate,
		EndStep: 1, // all updates are of the first step, and none takes others before it
	}
	for _, text := range asked[:o.Scale.Questions] {
		t.Questions = append(t.Questions, dualprocess.Question{Text: text, Answer: "Yes"})
	}
	return t, models, nil
}

// distillation is a training whose updates are made one at a time.
type distillation struct {
	task     dualprocess.Task
	models   []io.Closer
	next     chan struct{} // asks for one more update
	made     chan dualprocess.Update
	adapter  *lora.Adapter // once made is closed
	ended    error         // likewise
	training context.Context
	stop     context.CancelFunc
}

// many is more updates than anybody asks for.
const many = 100_000

func newDistillation(ctx context.Context, rt *backends.Runtime, o order) (*distillation, error) {
	t, models, err := o.task(ctx, rt)
	d := &distillation{task: t, models: append(models, rt)}
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	d.task.Updates, d.task.Progress = many, d.report
	d.training, d.stop = context.WithCancel(ctx)
	return d, nil
}

// run makes one update.
func (d *distillation) run(ctx context.Context) (loss, norm float64, err error) {
	u, err := d.advance(ctx)
	return u.Loss, u.GradientNorm, err
}

// advance makes one update.
func (d *distillation) advance(ctx context.Context) (u dualprocess.Update, err error) {
	if d.made == nil {
		d.next, d.made = make(chan struct{}), make(chan dualprocess.Update)
		go func() {
			d.adapter, d.ended = dualprocess.Distill(d.training, d.task)
			close(d.made)
		}()
	} else {
		select {
		case d.next <- struct{}{}:
		case <-d.training.Done():
			return u, d.training.Err()
		case <-ctx.Done():
			return u, ctx.Err()
		}
	}
	u, ok := <-d.made
	if !ok {
		return u, errors.Join(d.ended, errors.New("the training has ended"))
	}
	return u, nil
}

// finish lets the training end after its last update, and returns what was trained.
func (d *distillation) finish() (*lora.Adapter, error) {
	close(d.next)
	for range d.made { // until it has ended
	}
	return d.adapter, d.ended
}

// report hands an update over and waits until the next one is asked for.
func (d *distillation) report(u dualprocess.Update) {
	d.made <- u
	select {
	case <-d.next:
	case <-d.training.Done():
	}
}

func (d *distillation) peak() int64 { return peak.Process() }

func (d *distillation) close() error {
	if d.stop != nil {
		d.stop()
	}
	if d.made != nil {
		for range d.made { // until it has ended
		}
	}
	var errs []error
	for _, m := range slices.Backward(d.models) {
		errs = append(errs, m.Close())
	}
	slices.Reverse(errs)
	return errors.Join(errs...)
}
