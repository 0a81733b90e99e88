package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/generator"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/optim"
	"github.com/dualprocess/dualprocess-go/lora"
)

// What every adapter is trained with. The rate is small, so that many updates leave numbers of the same size.
const (
	rank   = lora.DefaultRank
	alpha  = lora.DefaultAlpha
	weight = lora.DefaultWeight
	clip   = 1.0
	rate   = 1e-5
)

// prompt is long enough to fill the tokens of every generator: PyTorch's Z-Image computes less for fewer.
const prompt = "a photo of a wide wheat field under a cloudy evening sky, with a narrow gravel road that leads to an old red barn, " +
	"two tall poplars beside it, a wooden fence in front, a flock of starlings over the hills in the far distance, soft light " +
	"from the left, long shadows on the ground, wild flowers along the ditch, a rusty tractor half hidden in the tall grass, " +
	"thin smoke above a chimney, high detail, wide angle, 35 mm film, slightly faded colours, shallow depth of field"

// update is one update of an adapter as package dualprocess makes it, by the distance of a picture from another: its
// numbers and AdamW's moments are one vector each, on the device.
type update struct {
	generator generator.Generator
	adapter   *lora.Adapter
	step      int
}

// newUpdate opens a generator and prepares its update.
func newUpdate(ctx context.Context, rt *backends.Runtime, o order) (*program, *handed, error) {
	g, err := o.generator(ctx, rt, o.Side)
	if err != nil {
		return nil, nil, err
	}
	u := &update{generator: g, step: o.Step}
	p, h, err := u.prepare(ctx, rt, o)
	if err != nil {
		return nil, nil, errors.Join(err, g.Close())
	}
	return p, h, nil
}

// generator opens an order's generator for pictures of a side.
func (o order) generator(ctx context.Context, rt *backends.Runtime, side int) (generator.Generator, error) {
	options := generator.Options{Height: side, Width: side, Checkpoint: o.checkpointing()}
	if len(o.Options) > 0 {
		d := json.NewDecoder(bytes.NewReader(o.Options))
		d.DisallowUnknownFields()
		if err := d.Decode(&options); err != nil {
			return nil, fmt.Errorf("options: %w", err)
		}
	}
	options.Steps, options.Guidance = cmp.Or(o.Steps, options.Steps), cmp.Or(o.Guidance, options.Guidance)
	return generator.Open(ctx, rt, o.Checkpoint, options)
}

// prepare makes everything that an update reads.
func (u *update) prepare(ctx context.Context, rt *backends.Runtime, o order) (*program, *handed, error) {
	cond, err := conditions(ctx, u.generator)
	if err != nil {
		return nil, nil, err
	}
	latents, err := u.generator.Latents(1)
	if err != nil {
		return nil, nil, err
	}
	if u.adapter, err = newAdapter(rt, u.generator, lora.Gaussian); err != nil {
		return nil, nil, err
	}
	target, vector := noise(o.Side), u.adapter.Vector()
	h, err := u.hand(latents, target, cond)
	if err != nil {
		return nil, nil, err
	}
	p := &program{
		Program: graphs.NewOwn(rt, graphs.Key{Name: "update"}, u.build),
		model:   u.generator,
		state:   []*tensors.Tensor{vector, tensors.FromShape(vector.Shape()), tensors.FromShape(vector.Shape())},
		inputs: func(number int) []any {
			return []any{float32(number), float32(rate), latents, target, []*tensors.Tensor(cond)}
		},
	}
	return p, h, nil
}

// conditions encodes the prompt and lets the text encoders go.
func conditions(ctx context.Context, g dualprocess.Generator) (dualprocess.Inputs, error) {
	cond, err := g.Encode(ctx, prompt)
	if err != nil {
		return nil, err
	}
	if r, ok := g.(dualprocess.Releaser); ok {
		return cond, r.Release()
	}
	return cond, nil
}

// newAdapter makes the adapter that the generator suggests.
func newAdapter(rt *backends.Runtime, g dualprocess.Generator, init lora.Init) (*lora.Adapter, error) {
	layers, err := dualprocess.Layers(rt, g)
	if err != nil {
		return nil, err
	}
	config := lora.Config{Rank: rank, Alpha: alpha, Init: init}
	if p, ok := g.(dualprocess.Presetter); ok {
		config.Targets, config.Prefix = p.Preset().Targets, p.Preset().Prefix
	}
	return lora.New(config, layers)
}

// hand writes down what PyTorch's side needs: B is zero there, too.
func (u *update) hand(latents, target *tensors.Tensor, cond dualprocess.Inputs) (*handed, error) {
	h := &handed{about: map[string]any{
		"rank": rank, "alpha": alpha, "weight": weight, "clip": clip, "rate": rate, "conditions": len(cond),
	}}
	return h, errors.Join(h.add("latents", latents), h.add("target", target), h.addAll(cond), h.addAdapter(u.adapter))
}

// build is the graph. It reads vector, moments, number, rate, latents, target, conditions.
func (u *update) build(in []*Node) []*Node {
	vector, m, v, number, rate, latents, target, cond := in[0], in[1], in[2], in[3], in[4], in[5], in[6], in[7:]
	g, i := u.generator, Const(vector.Graph(), int32(u.step))
	params := u.adapter.Split(vector)
	delta := u.adapter.Delta(params, Const(vector.Graph(), float32(weight)))
	picture := g.Decode(g.Clean(latents, g.Predict(delta, latents, i, cond), i))
	loss := ReduceAllMean(Square(Sub(picture, target)))

	parts := Gradient(loss, params...)
	for k, x := range parts {
		parts[k] = Reshape(x, -1)
	}
	one := func(x *Node) []*Node { return []*Node{x} }
	clipped, norm := optim.ClipGlobalNorm(one(Concatenate(parts, 0)), clip)
	next, nextM, nextV := optim.AdamW{}.Update(one(vector), clipped, one(m), one(v), number, rate)
	faults := ReduceAllSum(ConvertDType(LogicalNot(IsFinite(Concatenate([]*Node{next[0], Reshape(norm, 1)}, 0))), dtypes.Float32))
	good := Equal(faults, ScalarZero(faults.Graph(), faults.DType()))
	keep := func(next, now *Node) *Node { return Where(good, next, now) } // of an update that is not finite nothing is taken
	return []*Node{ConvertDType(loss, dtypes.Float32), norm, keep(next[0], vector), keep(nextM[0], m), keep(nextV[0], v)}
}
