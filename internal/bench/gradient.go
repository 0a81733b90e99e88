package main

import (
	"context"
	"errors"
	"fmt"
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
	v, err := verifier.Open(ctx, rt, o.Checkpoint, verifier.Options{Checkpoint: o.checkpointing()})
	if err != nil {
		return nil, nil, err
	}
	questions, err := prepare(ctx, v, o)
	if err != nil {
		return nil, nil, errors.Join(err, v.Close())
	}
	picture, h := noise(o.Side), &handed{about: map[string]any{}}
	if err := errors.Join(h.add("picture", picture), h.addQuestions(vlmtest.Frame(v), o.Side, questions)); err != nil {
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

// addQuestions takes the ids of whole prompts, and how many of each are the answer's.
func (h *handed) addQuestions(v *vlm.Verifier, side int, questions [][]*tensors.Tensor) error {
	prefix, err := vlm.Prefix(v, vision.Size{Height: side, Width: side})
	if err != nil {
		return err
	}
	var begin []int32
	for _, id := range prefix {
		begin = append(begin, int32(id))
	}
	var labels []int
	for k, in := range questions {
		suffix, err := tensors.CopyFlatData[int32](in[0])
		if err != nil {
			return err
		}
		ids := slices.Concat(begin, suffix)
		if err := h.add(fmt.Sprint("ids", k), tensors.FromFlatDataAndDimensions(ids, len(ids))); err != nil {
			return err
		}
		labels = append(labels, in[2].Shape().Dim(0))
	}
	h.about["image_token"], h.about["labels"] = vlm.Pieces(v).Image, labels
	return nil
}
