package vlm

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/nn"
)

// questions are several, side by side: n questions of at most S tokens with at
// most l labels.
type questions struct {
	ids       *Node // int32 [n, S]
	positions *Node // int32 [n, l]: of the tokens that predict the labels
	targets   *Node // int32 [n, l]
	weights   *Node // float32 [n, l]
}

// join stacks what Prepare returned for each question.
func (v *Verifier) join(all [][]*Node) questions {
	stack := func(which int) *Node {
		length := 0
		for _, q := range all {
			if len(q) != 4 {
				exceptions.Panicf("%s: a question of %d inputs, want the 4 of Prepare", v.setup.Name, len(q))
			}
			length = max(length, q[which].Shape().Dim(0))
		}
		rows := make([]*Node, len(all))
		for k, q := range all {
			rows[k] = lengthen(q[which], length)
		}
		return Stack(rows, 0)
	}
	return questions{stack(0), stack(1), stack(2), stack(3)}
}

// lengthen adds zeros to a vector.
func lengthen(x *Node, length int) *Node { return nn.PadZeros(x, 0, length-x.Shape().Dim(0), 0) }

// LogProbs returns, per question, float32 [batch]: the mean log-probability of the
// answer's tokens. The vision tower and the prefix run once per picture, and then
// all questions together.
func (v *Verifier) LogProbs(image *Node, all [][]*Node) []*Node {
	if len(all) == 0 {
		return nil
	}
	v.model.In(image.Graph())
	p, q := v.mustPrefix(image), v.join(all)
	batch, n := image.Shape().Dim(0), len(all)
	f := nn.Pass{Checkpoint: v.checkpoint(p, batch, n, q.ids.Shape().Dim(1))}
	_, past := v.setup.Decoder.Apply(f, v.prefixSpan(f, image, p), nil)
	hidden, _ := v.setup.Decoder.Apply(f, v.suffixSpan(f, p, q.ids, batch), repeat(past, n))
	logP := q.logProbs(f, v.setup.Decoder, hidden)
	out := make([]*Node, n)
	for k := range out {
		out[k] = Reshape(Slice(logP, AxisRange(), AxisElem(k)), batch)
	}
	return out
}

// suffixSpan are the tokens after the picture, ids [n, S], for each of the batch's
// pictures: [batch·n, S, hidden], those about the first picture first.
func (v *Verifier) suffixSpan(f nn.Pass, p *prefix, ids *Node, batch int) decoder.Span {
	x := v.setup.Decoder.Embed(f, ids, v.runtime.DType)
	d := x.Shape().Dimensions
	x = Reshape(BroadcastToDims(InsertAxes(x, 0), batch, d[0], d[1], d[2]), batch*d[0], d[1], d[2])
	return decoder.Span{Embeds: x, Positions: p.suffixPositions(ids)}
}

// suffixPositions counts on from the picture for ids [n, S]; nil where the decoder
// counts by itself.
func (p *prefix) suffixPositions(ids *Node) *Node {
	if p.positions == nil {
		return nil
	}
	return AddScalar(Iota(ids.Graph(), shapes.Make(dtypes.Int32, ids.Shape().Dim(1)), 0), p.next)
}

// repeat gives each of n questions about a picture the same past.
func repeat(past *decoder.Past, n int) *decoder.Past {
	if n == 1 {
		return past
	}
	again := func(nodes []*Node) []*Node {
		out := make([]*Node, len(nodes))
		for i, x := range nodes {
			d := x.Shape().Dimensions
			x = BroadcastToDims(InsertAxes(x, 1), append([]int{d[0], n}, d[1:]...)...)
			out[i] = Reshape(x, append([]int{d[0] * n}, d[1:]...)...)
		}
		return out
	}
	return &decoder.Past{Keys: again(past.Keys), Values: again(past.Values)}
}

// logProbs returns the weighted sum of the labels' log-probabilities, float32
// [batch, n], for hidden [batch·n, S, H].
//
// Positions are chosen by a product with ones and zeros: exact, and, unlike a
// gather's, its gradient is the same in every run on every device.
func (q questions) logProbs(f nn.Pass, m *decoder.Decoder, hidden *Node) *Node {
	d, n := hidden.Shape().Dimensions, q.ids.Shape().Dim(0)
	hidden = Reshape(hidden, d[0]/n, n, d[1], d[2])
	chosen := Einsum("nls,bnsh->bnlh", OneHot(q.positions, d[1], hidden.DType()), hidden)
	logits := m.Logits(f, chosen)
	logP := LogSoftmax(logits, -1)
	targets := InsertAxes(OneHot(q.targets, logits.Shape().Dim(-1), dtypes.Float32), 0)
	logP = ReduceSum(Mul(logP, targets), -1) // [batch, n, l]
	return ReduceSum(Mul(logP, InsertAxes(q.weights, 0)), -1)
}

// checkpoint decides whether activations are recomputed in the backward pass.
func (v *Verifier) checkpoint(p *prefix, batch, n, length int) bool {
	c, bytes := v.setup.Decoder.Config(), v.runtime.DType.Size()
	tokens := len(p.ids) + n*length
	scores := len(p.ids)*len(p.ids) + n*length*(len(p.ids)+length)
	kept := c.Layers * (tokens*(6*c.Hidden+3*c.Heads*c.HeadDim+4*c.Intermediate)*bytes + c.Heads*scores*(bytes+dtypes.Float32.Size()))
	return v.runtime.Checkpoints(v.options.Checkpoint, batch*(kept+p.layout.Activations*bytes))
}
