package main

import (
	"context"
	"errors"

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

// question is asked about every picture.
var question = dualprocess.Question{Text: "Is the horizon in the upper half of this image?", Answer: "Yes"}

// newGradient opens a verifier and prepares a question: its loss, and the gradient by the pixels.
func newGradient(ctx context.Context, rt *backends.Runtime, o order) (*program, *handed, error) {
	v, err := verifier.Open(ctx, rt, o.Checkpoint, verifier.Options{Checkpoint: backends.CheckpointOff})
	if err != nil {
		return nil, nil, err
	}
	in, err := v.Prepare(ctx, question, o.Side, o.Side)
	if err != nil {
		return nil, nil, errors.Join(err, v.Close())
	}
	picture := noise(o.Side)
	h, err := handQuestion(vlmtest.Frame(v), o.Side, picture, in)
	if err != nil {
		return nil, nil, errors.Join(err, v.Close())
	}
	p := &program{
		Program: graphs.NewOwn(rt, graphs.Key{Name: "gradient"}, func(in []*Node) []*Node {
			loss := Neg(ReduceAllSum(v.LogProbs(in[0], [][]*Node{in[1:]})[0]))
			gradient := Gradient(loss, in[0])[0]
			return []*Node{loss, optim.GlobalNorm([]*Node{gradient}), ConvertDType(gradient, dtypes.Float32)}
		}),
		model:  v,
		inputs: func(int) []any { return []any{picture, []*tensors.Tensor(in)} },
	}
	return p, h, nil
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
