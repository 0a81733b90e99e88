package decoder

import (
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/nn"
)

// testGenerate continues a's prompt greedily with two compilations: the prompt's
// and that of any further token.
func (r *reference) testGenerate(t *testing.T) {
	prefix, want := r.Ints(t, "gen.prefix_ids"), r.Ints(t, "gen.new_ids")
	s := r.span(t, "a")
	positions, compiled := r.positions(t, s, len(prefix)+len(want)), 0
	first, step := r.generator(t, len(prefix)+len(want), &compiled)
	embeds := r.prompt(t, s, prefix)
	out, err := first.Call(append([]any{embeds, positions(0, len(prefix))}, anys(r.shorten(s.deep, len(prefix)))...)...)
	require.NoError(t, err)
	var ids []int32
	for {
		ids = append(ids, tensors.MustCopyFlatData[int32](out[0])[0])
		if len(ids) == len(want) {
			break
		}
		out, err = step.Call(append([]any{out[0], positions(len(prefix)+len(ids)-1, 1)}, anys(out[1:])...)...)
		require.NoError(t, err)
	}
	require.Equal(t, want, ids)
	require.Equal(t, 2, compiled)
}

// generator returns the executables of a prompt (embeddings and positions) and of
// one more token (its id, its position, the cache). Both return the next token's
// id and the cache, and count their compilations.
func (r *reference) generator(t *testing.T, capacity int, compiled *int) (first, step *model.Exec) {
	exec := func(build func(in []*Node) (*Node, *Past)) *model.Exec {
		e, err := graphs.NewExecutor(r.rt, func(in []*Node) []*Node {
			*compiled++
			hidden, cache := build(in)
			return append([]*Node{r.last(hidden)}, cache.Nodes()...)
		})
		require.NoError(t, err)
		return e
	}
	first = exec(func(in []*Node) (*Node, *Past) {
		hidden, past := r.m.Apply(nn.Pass{}, Span{Embeds: in[0], Positions: in[1], Deep: in[2:]}, nil)
		return hidden, past.Cache(capacity)
	})
	step = exec(func(in []*Node) (*Node, *Past) {
		x := r.m.Embed(nn.Pass{}, Reshape(in[0], 1, 1), r.rt.DType)
		return r.m.Apply(nn.Pass{}, Span{Embeds: x, Positions: in[1]}, CacheOf(in[2:]))
	})
	return first, step
}

// last is the likeliest word after the last token, int32 [1].
func (r *reference) last(hidden *Node) *Node {
	at := Squeeze(Slice(hidden, AxisRange(), AxisElem(-1)), 1)
	return ArgMax(r.m.Logits(nn.Pass{}, at), -1)
}

// prompt is a's prompt, whose tokens must be those of a's span.
func (r *reference) prompt(t *testing.T, s span, prefix []int32) *tensors.Tensor {
	require.LessOrEqual(t, len(prefix), len(s.ids))
	require.Equal(t, prefix, s.ids[:len(prefix)])
	return r.shorten([]*tensors.Tensor{s.embeds}, len(prefix))[0]
}

// shorten keeps the first n tokens of each.
func (r *reference) shorten(vectors []*tensors.Tensor, n int) (short []*tensors.Tensor) {
	for _, x := range vectors {
		values := tensors.MustCopyFlatData[float32](x)
		short = append(short, tensors.FromFlatDataAndDimensions(values[:n*r.m.config.Hidden], 1, n, r.m.config.Hidden))
	}
	return short
}

// positions returns a function that cuts the positions of some tokens.
func (r *reference) positions(t *testing.T, s span, n int) func(from, count int) *tensors.Tensor {
	axes, all := 1, make([]int32, n)
	for i := range all {
		all[i] = int32(i)
	}
	if r.Has("a.position_ids") {
		axes, all = 3, tensors.MustCopyFlatData[int32](r.extend(t, n))
	}
	return func(from, count int) *tensors.Tensor {
		var cut []int32
		for axis := range axes {
			cut = append(cut, all[axis*n+from:axis*n+from+count]...)
		}
		return tensors.FromFlatDataAndDimensions(cut, axes, count)
	}
}
