package dualprocess

import (
	"context"
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/internal/graphs"
)

// latentState is all that the optimisation of latents changes.
type latentState[T any] struct {
	latents, m, v T // [seeds, ...], with both moments of AdamW
	best          T // latents of the lowest loss so far, [seeds, ...]
	lowest        T // that loss, [seeds]
}

// fields are the places of the state, in the order of a program's inputs and
// outputs.
func (s *latentState[T]) fields() []*T {
	return []*T{&s.latents, &s.m, &s.v, &s.best, &s.lowest}
}

// values lists the state, for a program or as the results of one.
func (s *latentState[T]) values() []T {
	var all []T
	for _, field := range s.fields() {
		all = append(all, *field)
	}
	return all
}

// set takes the state from such a list.
func (s *latentState[T]) set(values []T) {
	for k, field := range s.fields() {
		*field = values[k]
	}
}

func newLatentState(initial *tensors.Tensor) (*latentState[*tensors.Tensor], error) {
	latents, err := initial.LocalClone()
	if err != nil {
		return nil, err
	}
	best, err := initial.LocalClone()
	if err != nil {
		return nil, err
	}
	losses := make([]float32, initial.Shape().Dimensions[0])
	for k := range losses {
		losses[k] = math.MaxFloat32
	}
	lowest := tensors.FromFlatDataAndDimensions(losses, len(losses))
	return &latentState[*tensors.Tensor]{latents, zeros(initial), zeros(initial), best, lowest}, nil
}

// inputs lists what the graph of update n, counted from 0, reads.
func (o *latentOptimizer) inputs(s *latentState[*tensors.Tensor], n int) []any {
	rows := make([]int32, len(o.Seeds)) // all of the one prompt
	return []any{
		s.values(), float32(n + 1), float32(o.LearningRate), o.studio.conditions.inputs(rows),
		o.rater.exam.inputs(), o.shares.inputs(rows),
	}
}

// latentNodes are inputs in the graph.
type latentNodes struct {
	state        latentState[*Node]
	number, rate *Node   // scalars
	cond         []*Node // [seeds, ...]
	questions    examNodes
	share        *Node // of the questions, [questions, seeds]; nil = all alike
}

// take reads inputs.
func (o *latentOptimizer) take(in *cursor) (n latentNodes) {
	n.state.set(in.take(len(n.state.fields())))
	n.number, n.rate = in.one(), in.one()
	n.cond = o.studio.conditions.take(in, len(o.Seeds))
	n.questions = o.rater.exam.take(in)
	n.share = o.shares.take(in)
	return n
}

// step makes update n, counted from 0.
func (o *latentOptimizer) step(ctx context.Context, s *latentState[*tensors.Tensor], n int) (Update, error) {
	out, err := o.program.Run(ctx, o.inputs(s, n)...)
	if err != nil {
		return Update{}, err
	}
	results, values, err := splitMetrics(out)
	if err != nil {
		return Update{}, err
	}
	graphs.Release(s.values()...)
	s.set(results)
	u := o.metrics.read(values)
	u.Number, u.Total, u.LearningRate = n+1, o.Updates, o.LearningRate
	return u, nil
}

// finish brings the best latents to the host, frees the rest, and returns them
// with err.
func finish(s *latentState[*tensors.Tensor], err error) (*tensors.Tensor, error) {
	best, failed := s.best.LocalClone()
	graphs.Release(s.values()...)
	if err == nil {
		err = failed
	}
	return best, err
}

// update is the graph of one update: latents → picture → overlay → loss → latents.
// The seeds do not influence each other; one that is not finite stays as it was.
func (o *latentOptimizer) update(in *cursor) []*Node {
	n := o.take(in)
	s := n.state
	picture := o.Generator.Decode(o.rollout(s.latents, n.cond))
	answers := o.rater.exam.ask(picture, n.questions)
	loss := lossEach(answers.margin, n.share) // [seeds]
	total := loss
	if o.Prior > 0 {
		total = Add(total, MulScalar(prior(s.latents), o.Prior))
	}
	grad, norm := clipEach(Gradient(ReduceAllSum(total), s.latents)[0], o.Clip)
	latents, m, v := o.optimizer.Update([]*Node{s.latents}, []*Node{grad}, []*Node{s.m}, []*Node{s.v}, n.number, n.rate)

	badPixels := ReduceSum(ConvertDType(LogicalNot(IsFinite(picture)), dtypes.Float32), 1, 2, 3)
	good := And(Equal(badPixels, ZerosLike(badPixels)), And(IsFinite(total), IsFinite(norm))) // [seeds]
	better := And(good, LessThan(total, s.lowest))
	next := latentState[*Node]{
		latents: whereSeed(good, latents[0], s.latents), m: whereSeed(good, m[0], s.m), v: whereSeed(good, v[0], s.v),
		best: whereSeed(better, s.latents, s.best), lowest: Where(better, total, s.lowest),
	}
	zero := ScalarZero(loss.Graph(), dtypes.Float32)
	said := verdict{ReduceAllMean(loss), total, notFinite(picture), answerRates(answers.logP, n.share)}
	measured := measured{verdict: said, drift: zero, preserved: zero}
	taken := ReduceAllMin(ConvertDType(good, dtypes.Float32))
	return append(next.values(), o.metrics.finished(measured.inPlace(), ReduceAllMean(norm), taken))
}

// rollout denoises with gradient for as many steps as the task unrolls, and
// returns clean latents: the last step's, or the estimate at the last one made.
func (o *latentOptimizer) rollout(latents *Node, cond []*Node) *Node {
	steps := make([]*Node, o.Unroll)
	for k := range steps {
		steps[k] = Scalar(latents.Graph(), dtypes.Int32, k)
	}
	r := rollout{generator: o.Generator, toTheEnd: o.Unroll == o.Generator.Steps()}
	return r.run(initial(o.Generator, latents), steps, cond)
}

// prior is the negative logarithm of the density that the length r of each seed's
// latents, d numbers, has for Gaussian noise, divided by d and up to a constant:
// r²/2d - (d-1)/d·ln r, [seeds]. It is lowest at r = √(d-1).
func prior(latents *Node) *Node {
	d := float64(latents.Shape().Size() / latents.Shape().Dim(0))
	square := sumEach(Square(latents))
	return Sub(DivScalar(square, 2*d), MulScalar(Log(square), (d-1)/(2*d)))
}

// clipEach scales the gradient of each seed so that its norm is at most limit, as
// optim.ClipGlobalNorm does for all together. norm is [seeds].
func clipEach(grad *Node, limit float64) (clipped, norm *Node) {
	norm = Sqrt(sumEach(Square(grad)))
	if limit <= 0 {
		return grad, norm
	}
	coef := MinScalar(Div(MulScalar(OnesLike(norm), limit), AddScalar(norm, 1e-6)), 1)
	return Mul(grad, likeSeeds(coef, grad)), norm
}

// sumEach sums over all axes but the first.
func sumEach(x *Node) *Node {
	return ReduceSum(Reshape(x, x.Shape().Dim(0), -1), 1)
}

// likeSeeds gives a value per seed, [seeds], the shape of x, [seeds, ...].
func likeSeeds(value, x *Node) *Node {
	dims := make([]int, x.Rank())
	for k := range dims {
		dims[k] = 1
	}
	dims[0] = -1
	return BroadcastToDims(Reshape(value, dims...), x.Shape().Dimensions...)
}

// whereSeed chooses per seed.
func whereSeed(condition, onTrue, onFalse *Node) *Node {
	return Where(likeSeeds(condition, onTrue), onTrue, onFalse)
}
