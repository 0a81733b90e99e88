package vlm

import (
	"context"
	"fmt"
	"image"
	"slices"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/pixels"
)

// Generate lets the model answer in its own words: at each token the likeliest, up
// to that many, or to the end that the model says. When an error comes, such as the
// context's, the text so far comes with it.
func (v *Verifier) Generate(ctx context.Context, img image.Image, question string, tokens int) (string, error) {
	err := CheckTokens(tokens)
	if err == nil {
		err = v.checkPicture(ctx, img)
	}
	var ids []int
	if err == nil {
		ids, err = v.generate(ctx, pixels.FromImages(img), question, tokens, v.setup.Ends)
	}
	if err != nil {
		err = fmt.Errorf("%s: generate: %w", v.setup.Name, err)
	}
	return v.setup.Tokenizer.Decode(ids), err
}

// CheckTokens returns the error of a number of tokens that cannot be generated.
func CheckTokens(tokens int) error {
	if tokens < 1 {
		return fmt.Errorf("%w: Tokens: must be at least 1, not %d", dualprocess.ErrTask, tokens)
	}
	return nil
}

// generate returns the ids of the text, without the one of ends that ended it.
//
// Two programs are compiled for each size of pictures and step in lengths: one for
// the prompt, and one for every token that follows.
func (v *Verifier) generate(ctx context.Context, picture *tensors.Tensor, question string, tokens int, ends []int) (ids []int, err error) {
	height, width := picture.Shape().Dim(1), picture.Shape().Dim(2)
	p, err := v.prefix(height, width)
	if err != nil {
		return nil, err
	}
	suffix, err := v.encodeOpen(question)
	if err != nil {
		return nil, err
	}
	length := roundUp(len(suffix), lengthStep)
	capacity := len(p.ids) + length + roundUp(tokens, lengthStep)
	state, err := v.programs.Run(ctx, fmt.Sprintf("prompt of %d tokens of %d about %dx%d", length, capacity, width, height),
		func(in []*Node) []*Node { return v.firstToken(in[0], in[1], in[2], capacity) },
		picture, paddedIDs(suffix, length), int32(len(suffix)))
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
		next, err = v.programs.Run(ctx, fmt.Sprintf("token of %d about %dx%d", capacity, width, height),
			func(in []*Node) []*Node { return v.nextToken(p, in[0], in[1:]) }, state)
		graphs.Release(state...)
		state = next
	}
	return ids, err
}

// firstToken is the graph of the prompt: ids [S] of the suffix, of which the first
// count are real. It returns the token that follows, int32 [1], and the cache.
func (v *Verifier) firstToken(image, ids, count *Node, capacity int) []*Node {
	p := v.mustPrefix(image)
	_, past := v.setup.Decoder.Apply(nn.Pass{}, v.prefixSpan(nn.Pass{}, image, p), nil)
	suffix := v.suffixSpan(nn.Pass{}, p, InsertAxes(ids, 0), 1)
	suffix.Valid = LessThan(Iota(ids.Graph(), ids.Shape(), 0), count)
	hidden, past := v.setup.Decoder.Apply(nn.Pass{}, suffix, past)
	cache := past.Cache(capacity)
	// Tokens to come overwrite the padding, to which no token attends.
	cache.Used = AddScalar(count, len(p.ids))
	last := OneHot(Reshape(AddScalar(count, -1), 1), ids.Shape().Dim(0), hidden.DType())
	return append([]*Node{v.likeliest(Einsum("ls,bsh->bh", last, hidden))}, cache.Nodes()...)
}

// nextToken is the graph of one more token: the id of the last, int32 [1], and the
// cache.
func (v *Verifier) nextToken(p *prefix, id *Node, cache []*Node) []*Node {
	past := decoder.CacheOf(cache)
	s := decoder.Span{Embeds: InsertAxes(v.setup.Decoder.Embed(nn.Pass{}, id, v.runtime.DType), 0)}
	if p.positions != nil {
		s.Positions = Reshape(AddScalar(past.Used, p.next-len(p.ids)), 1)
	}
	hidden, past := v.setup.Decoder.Apply(nn.Pass{}, s, past)
	return append([]*Node{v.likeliest(Reshape(hidden, 1, -1))}, past.Nodes()...)
}

// likeliest maps hidden [1, H] to the id of the likeliest token, int32 [1].
func (v *Verifier) likeliest(hidden *Node) *Node {
	return ArgMax(v.setup.Decoder.Logits(nn.Pass{}, hidden), -1, dtypes.Int32)
}

// paddedIDs are a vector of ids, made longer by zeros.
func paddedIDs(ids []int, length int) *tensors.Tensor {
	out := make([]int32, length)
	copy(out, int32s(ids)[0])
	return tensors.FromFlatDataAndDimensions(out, length)
}
