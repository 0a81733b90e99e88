package training

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/pocket/teaching"
)

// Weights of the parts of the verifier's loss.
const (
	logitWeight     = 0.15 // Huber distance of yes minus no from its target
	quantityWeight  = 8.0  // squared error of the quantities that the read-out tells
	attributeWeight = 1.5  // the same of the attributes
	ruinedLogit     = 5.0  // how certain the no is about a picture that is ruined
)

// loss of a batch of exams: how far the answers are from their targets, and how
// far the read-out's regressions are. Shown: the Kullback-Leibler distance of
// yes-or-no answers, of positions, the errors of quantities and attributes, and the share of
// decided yes-or-no questions that are answered right.
func (v *verifier) loss(in []*Node) (*Node, []*Node) {
	pictures, degree := v.look(in)
	tokens, readout := v.vision.Apply(nn.Pass{}, pictures)
	logits := v.language.Apply(nn.Pass{}, tokens, in[inIDs]) // [B·Q, vocabulary]
	logProbs := LogSoftmax(logits, -1)

	// The answer of a ruined picture goes to no by the degree of its ruin.
	perPicture := degree
	degree = Reshape(BroadcastToDims(InsertAxes(degree, -1), degree.Shape().Dim(0), questionsPerPicture), -1) // [B·Q]
	target := Sub(Mul(in[inLogit], OneMinus(degree)), MulScalar(degree, ruinedLogit))                         // [B·Q]
	yes, no := v.column(logits, teaching.Yes), v.column(logits, teaching.No)
	logYes, logNo := v.column(logProbs, teaching.Yes), v.column(logProbs, teaching.No)
	pYes := Sigmoid(target)
	yesNo := Add(Mul(pYes, Sub(logSigmoid(target), logYes)), Mul(OneMinus(pYes), Sub(logSigmoid(Neg(target)), logNo)))
	asked := OneMinus(MinScalar(ReduceSum(in[inPositions], -1), 1)) // 1 for a yes-or-no question
	asked = ConvertDType(GreaterThan(asked, Scalar(asked.Graph(), asked.DType(), 0.5)), asked.DType())
	klYesNo := ReduceAllMean(Mul(asked, yesNo))
	huber := ReduceAllMean(Mul(asked, huber(Sub(Sub(yes, no), target))))

	klPositions := ReduceAllMean(v.positionLoss(logProbs, in[inPositions]))
	quantity, attribute := v.factLoss(readout, in, perPicture)
	taught := Add(MulScalar(quantity, quantityWeight), MulScalar(attribute, attributeWeight))
	total := Add(Add(klYesNo, klPositions), Add(MulScalar(huber, logitWeight), taught))

	decided := Mul(asked, ConvertDType(GreaterThan(Abs(target), ScalarOne(target.Graph(), target.DType())), target.DType()))
	right := Mul(decided, ConvertDType(GreaterThan(Mul(Sub(yes, no), target), ScalarZero(target.Graph(), target.DType())), target.DType()))
	accuracy := Div(ReduceAllSum(right), MaxScalar(ReduceAllSum(decided), 1))
	return total, []*Node{klYesNo, klPositions, quantity, attribute, accuracy}
}

// column is the column of a word in [B, vocabulary], as [B].
func (v *verifier) column(x *Node, word string) *Node {
	id := int(v.words.ids[word])
	return Reshape(Slice(x, AxisRange(), AxisRange(id, id+1)), -1)
}

// positionLoss is the Kullback-Leibler distance to the target over the position words, [B].
func (v *verifier) positionLoss(logProbs, target *Node) *Node {
	var columns []*Node
	for _, word := range teaching.PositionWords() {
		columns = append(columns, v.column(logProbs, word))
	}
	entropy := Mul(target, Log(AddScalar(target, 1e-9)))
	return ReduceSum(Sub(entropy, Mul(target, Stack(columns, 1))), -1)
}

// factLoss is the squared error of the known facts, summed over them and averaged
// over the pictures; those of a ruined picture count less, its degree of ruin
// always.
func (v *verifier) factLoss(readout *Node, in []*Node, degree *Node) (quantity, attribute *Node) {
	values := v.facts.Apply(nn.Pass{}, readout) // [B, quantities + attributes]
	d := InsertAxes(degree, -1)
	err := Mul(Mul(in[inKnown], OneMinus(d)), Square(Sub(values, in[inFacts])))
	ruin := Square(Sub(Slice(values, AxisRange(), AxisRange(factDamage, factDamage+1)), d))
	perPicture := 1 / float64(values.Shape().Dim(0))
	quantity = MulScalar(ReduceAllSum(Slice(err, AxisRange(), AxisRange(0, quantities))), perPicture)
	attribute = MulScalar(ReduceAllSum(Slice(err, AxisRange(), AxisRange(quantities))), perPicture)
	return Add(quantity, MulScalar(ReduceAllMean(ruin), 0.3)), attribute
}

// logSigmoid is log(1/(1+exp(-x))), stable at both ends.
func logSigmoid(x *Node) *Node {
	return Sub(MinScalar(x, 0), Log1P(Exp(Neg(Abs(x)))))
}

// huber is x²/2 near zero and |x| - 1/2 beyond 1.
func huber(x *Node) *Node {
	a := Abs(x)
	small := MinScalar(a, 1)
	return Add(MulScalar(Square(small), 0.5), Sub(a, small))
}
