package dualprocess

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/internal/graphs"
)

// shares say how much each question counts in the loss of a picture: a share of
// the picture's prompt, 0 for a question that is not asked. nil is all alike.
type shares struct {
	table *tensors.Tensor // float32 [prompts, questions]; rows sum to 1
}

// inputs lists them for a program.
func (s *shares) inputs() []any {
	if s == nil {
		return nil
	}
	return []any{s.table}
}

// take reads inputs in a graph and returns the shares of a batch with these rows,
// [questions, batch]; nil is all alike.
func (s *shares) take(in *cursor, rows *Node) *Node {
	if s == nil {
		return nil
	}
	return Transpose(pick(in.take(1), rows)[0], 0, 1)
}

// newShares weighs questions for pictures of some prompts, each of which has one.
func newShares(questions []Question, prompts []string) *shares {
	alike := true
	var table []float32
	for _, prompt := range prompts {
		weights, sum := make([]float64, len(questions)), 0.0
		for k, q := range questions {
			if q.isFor(prompt) {
				weights[k] = q.weight()
			}
			alike = alike && weights[k] == questions[0].weight()
			sum += weights[k]
		}
		for _, w := range weights {
			table = append(table, float32(w/sum))
		}
	}
	if alike {
		return nil
	}
	return &shares{tensors.FromFlatDataAndDimensions(table, len(prompts), len(questions))}
}

// lossEach is the loss of each picture, [batch]: the mean of -log P(answer) over
// its questions, by their shares.
func lossEach(logP, share *Node) *Node {
	if share == nil {
		return Neg(ReduceMean(logP, 0))
	}
	return Neg(ReduceSum(Mul(asked(logP, share), share), 0))
}

// loss is the mean of lossEach.
func loss(logP, share *Node) *Node {
	if share == nil {
		return Neg(ReduceAllMean(logP))
	}
	return ReduceAllMean(lossEach(logP, share))
}

// asked puts 0 in place of the values [questions, batch] of questions that are not
// asked, whatever they are.
func asked(values, share *Node) *Node {
	return Where(isAsked(share), values, ZerosLike(values))
}

func isAsked(share *Node) *Node {
	return GreaterThan(share, ScalarZero(share.Graph(), share.DType()))
}

// answerRates returns per question the mean of P(answer) over the batch, 0 where
// it is not asked, and behind them, unless all are, the part of the batch that it
// is asked about.
func answerRates(logP, share *Node) []*Node {
	p := Exp(logP)
	if share == nil {
		return []*Node{ReduceMean(p, 1)}
	}
	part := ReduceMean(ConvertDType(isAsked(share), dtypes.Float32), 1)
	return []*Node{ReduceMean(asked(p, share), 1), part}
}

func (s *shares) release() {
	if s != nil {
		graphs.Release(s.table)
	}
}
