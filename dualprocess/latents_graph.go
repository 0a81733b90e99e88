package dualprocess

import (
	"context"
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// latentState is all that the optimisation of latents changes, on the device, in
// the order of the program's inputs and outputs: latents, both moments and the
// best latents so far [seeds, ...], and their loss [seeds].
type latentState []*tensors.Tensor

func newLatentState(initial *tensors.Tensor) (latentState, error) {
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
	zero := zeros([]*tensors.Tensor{initial, initial})
	return latentState{latents, zero[0], zero[1], best, tensors.FromFlatDataAndDimensions(losses, len(losses))}, nil
}

// finish brings the best latents to the host, frees the rest, and returns them
// with err.
func (s latentState) finish(err error) (*tensors.Tensor, error) {
	const best = 3
	kept, failed := s[best].LocalClone()
	release(s...)
	if err == nil {
		err = failed
	}
	return kept, err
}

// step makes update n, counted from 0.
func (o *latentOptimizer) step(ctx context.Context, s latentState, n int) (Update, error) {
	conditions := o.sampler.denoiser.conditions
	in := []any{[]*tensors.Tensor(s), float32(n + 1), float32(o.LearningRate)}
	in = append(in, conditions.inputs(make([]int32, len(o.Seeds)))...)
	out, err := o.program.run(ctx, append(in, o.rater.exam.inputs())...)
	if err != nil {
		return Update{}, err
	}
	last := len(out) - 1
	metrics, err := tensors.CopyFlatData[float32](out[last])
	release(out[last])
	if err != nil {
		release(out...)
		return Update{}, err
	}
	release(s...)
	copy(s, out)
	u := readMetrics(metrics, len(o.Questions))
	u.Number, u.Total, u.LearningRate = n+1, o.Updates, o.LearningRate
	return u, nil
}

// update is the graph of one update: latents → picture → overlay → loss → latents.
// The seeds do not influence each other; one that is not finite stays as it was.
func (o *latentOptimizer) update(in *cursor) []*Node {
	latents, m, v, best, bestLoss := in.one(), in.one(), in.one(), in.one(), in.one()
	number, rate := in.one(), in.one()
	cond := o.sampler.denoiser.conditions.take(in)
	questions := o.rater.exam.take(in)

	picture := o.Generator.Decode(o.rollout(latents, cond))
	logP, _ := o.rater.exam.logP(picture, questions)
	loss := Neg(ReduceMean(logP, 0)) // [seeds]
	total := loss
	if o.Prior > 0 {
		total = Add(total, MulScalar(prior(latents), o.Prior))
	}
	grad, norm := clipEach(Gradient(ReduceAllSum(total), latents)[0], o.Clip)
	newLatents, newM, newV := o.optimizer.Update([]*Node{latents}, []*Node{grad}, []*Node{m}, []*Node{v}, number, rate)

	pixels := ReduceSum(ConvertDType(LogicalNot(IsFinite(picture)), dtypes.Float32), 1, 2, 3)
	bad := Concatenate([]*Node{vector(ReduceAllSum(pixels)), vector(notFinite(total))}, 0)
	good := And(Equal(pixels, ZerosLike(pixels)), And(IsFinite(total), IsFinite(norm))) // [seeds]
	better := And(good, LessThan(total, bestLoss))
	metrics := Concatenate([]*Node{
		vector(ReduceAllMean(loss)), ZerosLike(bad), bad, ReduceMean(Exp(logP), 1),
		vector(ReduceAllMean(norm)), vector(ReduceAllMin(ConvertDType(good, dtypes.Float32))),
	}, 0)
	return []*Node{
		whereSeed(good, newLatents[0], latents), whereSeed(good, newM[0], m), whereSeed(good, newV[0], v),
		whereSeed(better, latents, best), Where(better, total, bestLoss), metrics,
	}
}

// rollout denoises with gradient for as many steps as the task unrolls, and
// returns clean latents: the last step's, or the estimate at the last one made.
func (o *latentOptimizer) rollout(latents *Node, cond []*Node) *Node {
	state := initial(o.Generator, latents)
	for k := range o.Unroll {
		i := Scalar(latents.Graph(), dtypes.Int32, k)
		prediction := o.Generator.Predict(nil, state[0], i, cond)
		if k == o.Unroll-1 && o.Unroll < o.Generator.Steps() {
			return o.Generator.Clean(state[0], prediction, i)
		}
		state = advance(o.Generator, state, prediction, i)
	}
	return state[0]
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
