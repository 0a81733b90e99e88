package main

import (
	"context"
	"errors"
	"slices"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/optim"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
	"github.com/dualprocess/dualprocess-go/verifier"
)

// newGradient opens a verifier and prepares questions about one picture: their loss, and its gradient by the pixels.
func newGradient(ctx context.Context, rt *backends.Runtime, o order) (*program, *handed, error) {
	v, err := verifier.Open(ctx, rt, o.Checkpoint, verifier.Options{Checkpoint: backends.CheckpointOff})
	if err != nil {
		return nil, nil, err
	}
	questions, err := prepare(ctx, v, o)
	if err != nil {
		return nil, nil, errors.Join(err, v.Close())
	}
	picture := noise(o.Side)
	h, err := handQuestion(vlmtest.Frame(v), o.Side, picture, questions[0])
	if err != nil {
		return nil, nil, errors.Join(err, v.Close())
	}
	p := &program{
		Program: graphs.NewOwn(rt, graphs.Key{Name: "gradient"}, func(in []*Node) []*Node {
			each := len(in[1:]) / len(questions)
			loss := Neg(ReduceAllMean(Stack(v.LogProbs(in[0], slices.Collect(slices.Chunk(in[1:], each))), 0)))
			gradient := Gradient(loss, in[0])[0]
			return []*Node{loss, optim.GlobalNorm([]*Node{gradient}), ConvertDType(gradient, dtypes.Float32)}
		}),
		model:  v,
		inputs: func(int) []any { return []any{picture, slices.Concat(questions...)} },
	}
	return p, h, nil
}

// prepare makes the inputs of an order's questions, one unless its scale has more.
func prepare(ctx context.Context, v dualprocess.Verifier, o order) (all [][]*tensors.Tensor, err error) {
	for _, text := range asked[:max(1, o.Scale.Questions)] {
		in, err := v.Prepare(ctx, dualprocess.Question{Text: text, Answer: "Yes"}, o.Side, o.Side)
		if err != nil {
			return nil, err
		}
		all = append(all, in)
	}
	return all, nil
}

// handQuestion writes down the ids of the whole prompt.
func handQuestion(v *vlm.Verifier, side int, picture *tensors.Tensor, in dualprocess.Inputs) (*handed, error) {
	prefix, err := vlm.Prefix(v, vision.Size{Height: side, Width: side})
	if err != nil {
		return nil, err
	}
	var ids []int32
	for _, id := range prefix {
		ids = append(ids, int32(id))
	}
	suffix, err := tensors.CopyFlatData[int32](in[0])
	if err != nil {
		return nil, err
	}
	ids = append(ids, suffix...)
	h := &handed{about: map[string]any{"image_token": vlm.Pieces(v).Image, "labels": in[2].Shape().Dim(0)}}
	return h, errors.Join(h.add("picture", picture), h.add("ids", tensors.FromFlatDataAndDimensions(ids, len(ids))))
}
