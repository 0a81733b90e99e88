package dualprocess

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// shares say how much each question counts in the loss of a picture: a share of
// the picture's prompt, 0 for a question that is not asked. nil is all alike.
type shares struct {
	table [][]float32 // [questions][prompts]; those of a prompt sum to 1
}

// inputs lists those of a batch for a program, float32 [questions, batch]; rows are
// the numbers of its prompts.
func (s *shares) inputs(rows []int32) []any {
	if s == nil {
		return nil
	}
	batch := make([][]float32, len(s.table))
	for q, ofPrompts := range s.table {
		for _, row := range rows {
			batch[q] = append(batch[q], ofPrompts[row])
		}
	}
	return []any{batch}
}

// take reads inputs in a graph; nil is all alike.
func (s *shares) take(in *cursor) *Node {
	if s == nil {
		return nil
	}
	return in.one()
}

// newShares weighs questions for pictures of some prompts, each of which has one.
func newShares(questions []Question, prompts []string) *shares {
	alike, table := true, make([][]float32, len(questions))
	for _, prompt := range prompts {
		weights, sum := make([]float64, len(questions)), 0.0
		for k, q := range questions {
			if q.isFor(prompt) {
				weights[k] = q.weight()
			}
			alike = alike && weights[k] == questions[0].weight()
			sum += weights[k]
		}
		for k, w := range weights {
			table[k] = append(table[k], float32(w/sum))
		}
	}
	if alike {
		return nil
	}
	return &shares{table}
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
