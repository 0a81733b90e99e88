package vlm

import (
	"context"
	"fmt"
	"image"
	"slices"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/pixels"
)

// Generate lets the model answer in its own words: at each token the likeliest, up
// to that many, or to the end that the model says. The question is put as it is,
// without a suffix. When an error comes, such as the context's, the text so far
// comes with it.
//
// It compiles once for each size of pictures and step in lengths, twice: for the
// prompt, and for every token that follows.
func (v *Verifier) Generate(ctx context.Context, img image.Image, question string, tokens int) (string, error) {
	size := img.Bounds().Size()
	if _, err := v.view(size.Y, size.X); err != nil {
		return "", fmt.Errorf("%s: %w", v.setup.Name, err)
	}
	ids, err := v.generate(ctx, pixels.FromImages(img), question, tokens, v.setup.Ends)
	if err != nil {
		err = fmt.Errorf("%s: generate: %w", v.setup.Name, err)
	}
	return v.setup.Tokenizer.Decode(ids), err
}

// generate returns the ids of the text, without the one of ends that ended it.
func (v *Verifier) generate(ctx context.Context, picture *tensors.Tensor, question string, tokens int, ends []int) (ids []int, err error) {
	height, width := picture.Shape().Dim(1), picture.Shape().Dim(2)
	if tokens < 1 {
		return nil, fmt.Errorf("%d tokens wanted", tokens)
	}
	w, err := v.view(height, width)
	if err != nil {
		return nil, err
	}
	prompt, err := v.converse(question)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	length := step(len(prompt), lengthStep)
	capacity := len(w.ids) + length + step(tokens, lengthStep)
	state, err := v.run(ctx, fmt.Sprintf("prompt %dx%d %d %d", height, width, length, capacity),
		func(in []*Node) []*Node { return v.first(in[0], in[1], in[2], capacity) },
		picture, padded(prompt, length), int32(len(prompt)))
	defer func() { graphs.Release(state...) }()
	for err == nil {
		id := int(tensors.MustCopyFlatData[int32](state[0])[0])
		if slices.Contains(ends, id) {
			return ids, nil
		}
		if ids = append(ids, id); len(ids) == tokens {
			return ids, nil
		}
		var next []*tensors.Tensor
		next, err = v.run(ctx, fmt.Sprintf("token %dx%d %d", height, width, capacity),
			func(in []*Node) []*Node { return v.next(w, in[0], in[1:]) }, state)
		graphs.Release(state...)
		state = next
	}
	return ids, err
}

// first is the graph of the prompt: ids [S] behind the picture, of which the first
// count are real. It returns the token that follows, int32 [1], and the cache.
func (v *Verifier) first(image, ids, count *Node, capacity int) []*Node {
	w := v.mustView(image)
	_, past := v.setup.Decoder.Apply(nn.Pass{}, v.span(nn.Pass{}, image, w), nil)
	hidden, past := v.setup.Decoder.Apply(nn.Pass{}, v.questionSpan(nn.Pass{}, w, InsertAxes(ids, 0), 1), past)
	cache := past.Cache(capacity)
	// Tokens to come overwrite the padding, and until then stand before it: nobody sees it.
	cache.Used = AddScalar(count, len(w.ids))
	last := OneHot(Reshape(AddScalar(count, -1), 1), ids.Shape().Dim(0), hidden.DType())
	return append([]*Node{v.likeliest(Einsum("ls,bsh->bh", last, hidden))}, cache.Nodes()...)
}

// next is the graph of one more token: the id of the last, int32 [1], and the cache.
func (v *Verifier) next(w *view, id *Node, cache []*Node) []*Node {
	past := decoder.CacheOf(cache)
	s := decoder.Span{Embeds: InsertAxes(v.setup.Decoder.Embed(nn.Pass{}, id, v.runtime.DType), 0)}
	if w.positions != nil {
		s.Positions = Reshape(AddScalar(past.Used, w.behind-len(w.ids)), 1)
	}
	hidden, past := v.setup.Decoder.Apply(nn.Pass{}, s, past)
	return append([]*Node{v.likeliest(Reshape(hidden, 1, -1))}, past.Nodes()...)
}

// likeliest maps hidden [1, H] to the id of the likeliest token, int32 [1].
func (v *Verifier) likeliest(hidden *Node) *Node {
	return ArgMax(v.setup.Decoder.Logits(nn.Pass{}, hidden), -1, dtypes.Int32)
}

// padded makes a vector of ids longer by zeros.
func padded(ids []int, length int) *tensors.Tensor {
	out := make([]int32, length)
	for i, id := range ids {
		out[i] = int32(id)
	}
	return tensors.FromFlatDataAndDimensions(out, length)
}
