package nn

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// deltaChunk is how many tokens of GatedDeltaRule are computed side by side; a power of
// two.
const deltaChunk = 64

// GatedDeltaRule is the recurrence of gated delta networks (Yang et al., 2024): token by
// token, a state S [D, E] of each head forgets and corrects what it gives for a key,
//
//	S = exp(decay)·S
//	S = S + k·(beta·(v - Sᵀk))ᵀ
//
// and gives Sᵀq. q and k are [B, S, N, D], v is [B, S, N, E], decay (at most 0) and beta
// (in [0, 1]) are [B, S, N]; a token with zeros for both leaves the state as it is. state
// is [B, N, D, E], nil for zeros. All is computed in float32, to which out [B, S, N, E]
// and next, the state behind the last token, belong.
//
// Tokens of a chunk are computed together, as in the paper's section 3.3 and in
// transformers: what they add to the state solves a triangular system.
func GatedDeltaRule(q, k, v, decay, beta, state *Node) (out, next *Node) {
	d := v.Shape().Dimensions // B S N E
	if q.Shape().Rank() != 4 || len(d) != 4 || decay.Shape().Rank() != 3 || beta.Shape().Rank() != 3 {
		exceptions.Panicf("nn: delta rule of %s, %s, %s, %s, %s", q.Shape(), k.Shape(), v.Shape(), decay.Shape(), beta.Shape())
	}
	size := 1
	for size < min(d[1], deltaChunk) {
		size *= 2
	}
	beta = InsertAxes(beta, -1)
	c := newDeltaChunks(size, q, k, v, InsertAxes(decay, -1), beta)
	if next = state; next == nil {
		next = Zeros(q.Graph(), shapes.Make(dtypes.Float32, d[0], d[2], q.Shape().Dim(3), d[3]))
	}
	next = ConvertDType(next, dtypes.Float32)
	var parts []*Node
	for i := range c.count {
		var part *Node
		part, next = c.step(i, next)
		parts = append(parts, part)
	}
	out = Concatenate(parts, 2) // [B, N, chunks·size, E]
	return byHead(Slice(out, AxisRange(), AxisRange(), AxisRange(0, d[1]))), next
}

// deltaChunks is what the tokens of each chunk give before the state is known. Letters:
// c chunks, i and j tokens of one.
type deltaChunks struct {
	count, size int
	q, k        *Node // [B, N, c, i, D]
	passed      *Node // [B, N, c, i, 1]: the decay from the chunk's beginning, summed
	scores      *Node // [B, N, c, i, j]: of the tokens up to each
	values      *Node // [B, N, c, i, E]: that are written to an empty state
	keys        *Node // [B, N, c, i, D]: under which what the state holds already is taken off them
}

func newDeltaChunks(size int, q, k, v, decay, beta *Node) *deltaChunks {
	c := &deltaChunks{count: (q.Shape().Dim(1) + size - 1) / size, size: size}
	q, k, v, beta = c.split(q), c.split(k), c.split(v), c.split(beta)
	g := q.Graph()
	lower := Const(g, triangle(size, func(i, j int) bool { return j <= i }))
	c.passed = Einsum("ij,bncjx->bncix", ConvertDType(lower, dtypes.Float32), c.split(decay))
	between := Sub(c.passed, TransposeAllAxes(c.passed, 0, 1, 2, 4, 3)) // [B, N, c, i, j]
	between = Where(BroadcastToDims(InsertAxes(lower, 0, 0, 0), between.Shape().Dimensions...), between, MulScalar(OnesLike(between), -1e30))
	between = Exp(between) // 0 for tokens to come
	written := Mul(k, beta)
	system := Mul(Einsum("bncid,bncjd->bncij", written, k), between)
	inverse := invertUnitLower(system, size)
	c.q, c.k = q, k
	c.scores = Mul(Einsum("bncid,bncjd->bncij", q, k), between)
	c.values = Einsum("bncij,bncje->bncie", inverse, Mul(v, beta))
	c.keys = Einsum("bncij,bncjd->bncid", inverse, Mul(written, Exp(c.passed)))
	return c
}

// split cuts x [B, S, N, X] into chunks of float32, [B, N, c, i, X], with zeros at the end.
func (c *deltaChunks) split(x *Node) *Node {
	d := x.Shape().Dimensions
	x = PadZeros(ConvertDType(x, dtypes.Float32), 0, c.count*c.size-d[1], 1)
	return TransposeAllAxes(Reshape(x, d[0], c.count, c.size, d[2], d[3]), 0, 3, 1, 2, 4)
}

// step goes through chunk number i: it returns what the tokens read, [B, N, i, E], and
// the state behind them.
func (c *deltaChunks) step(i int, state *Node) (out, next *Node) {
	at := func(x *Node) *Node {
		return Squeeze(Slice(x, AxisRange(), AxisRange(), AxisElem(i)), 2)
	}
	passed := at(c.passed) // [B, N, i, 1]
	all := Slice(passed, AxisRange(), AxisRange(), AxisElem(-1))
	values := Sub(at(c.values), Einsum("bnid,bnde->bnie", at(c.keys), state))
	out = Add(
		Einsum("bnid,bnde->bnie", Mul(at(c.q), Exp(passed)), state),
		Einsum("bnij,bnje->bnie", at(c.scores), values),
	)
	next = Add(
		Mul(state, Exp(all)),
		Einsum("bnid,bnie->bnde", Mul(at(c.k), Exp(Sub(all, passed))), values),
	)
	return out, next
}

// invertUnitLower inverts I + x of the last two axes, of size, where of x only what is
// below the diagonal counts. The inverse of blocks on the diagonal grows to that of
// blocks twice as large,
//
//	[A   ]⁻¹   [ A⁻¹          ]
//	[C  B]   = [-B⁻¹CA⁻¹  B⁻¹ ]
//
// which loses nothing where tokens have nearly the same key, unlike the product of
// powers of x.
func invertUnitLower(x *Node, size int) *Node {
	g := x.Graph()
	inverse := BroadcastToDims(InsertAxes(Const(g, identity(size)), 0, 0, 0), x.Shape().Dimensions...)
	for block := 1; block < size; block *= 2 {
		corners := triangle(size, func(i, j int) bool { return i/(2*block) == j/(2*block) && i/block > j/block })
		c := Mul(x, InsertAxes(ConvertDType(Const(g, corners), dtypes.Float32), 0, 0, 0))
		if block > 1 { // before that the inverse is I
			c = Einsum("bncij,bncjk->bncik", Einsum("bncij,bncjk->bncik", inverse, c), inverse)
		}
		inverse = Sub(inverse, c)
	}
	return inverse
}

// triangle is a square of what holds for row i and column j.
func triangle(size int, holds func(i, j int) bool) [][]bool {
	rows := make([][]bool, size)
	for i := range rows {
		rows[i] = make([]bool, size)
		for j := range rows[i] {
			rows[i][j] = holds(i, j)
		}
	}
	return rows
}

func identity(size int) [][]float32 {
	rows := make([][]float32, size)
	for i := range rows {
		rows[i] = make([]float32, size)
		rows[i][i] = 1
	}
	return rows
}
