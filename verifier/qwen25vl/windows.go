package qwen25vl

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// windows is a grid of tokens, tiled by squares of side tokens from the top left;
// the last ones at the right and at the bottom are what is left.
//
// Tokens are put in an order in which each window is contiguous and windows of the
// same shape follow each other, so that attention runs over at most four stacks of
// windows without padding or mask. transformers orders the windows by rows; which
// comes first makes no difference to what a block computes. The order is made by
// slices and transpositions: their gradients are the same, while that of a Gather
// would be a scatter.
type windows struct{ rows, cols, side int }

// region is a part of the grid that is tiled by windows of one shape.
type region struct {
	row, col      int // of its first token
	down, across  int // number of windows
	height, width int // of a window
}

func (r region) tokens() int { return r.down * r.across * r.height * r.width }

// bands cuts n tokens in a line into those within whole windows and the rest.
func (w windows) bands(n int) (bands [][3]int) { // start, windows, length of a window
	whole, rest := n/w.side, n%w.side
	if whole > 0 {
		bands = append(bands, [3]int{0, whole, w.side})
	}
	if rest > 0 {
		bands = append(bands, [3]int{whole * w.side, 1, rest})
	}
	return bands
}

// regions returns at most four: whole windows, those cut at the right, at the
// bottom, and in the corner.
func (w windows) regions() (all []region) {
	for _, r := range w.bands(w.rows) {
		for _, c := range w.bands(w.cols) {
			all = append(all, region{r[0], c[0], r[1], c[1], r[2], c[2]})
		}
	}
	return all
}

// order returns for each place the token, counted by rows, that comes to it.
func (w windows) order() (order []int) {
	for _, r := range w.regions() {
		for window := range r.down * r.across {
			row, col := r.row+window/r.across*r.height, r.col+window%r.across*r.width
			for i := range r.height * r.width {
				order = append(order, (row+i/r.width)*w.cols+col+i%r.width)
			}
		}
	}
	return order
}

// cut brings x [B, R, C, width] into order: [B, R·C, width].
func (w windows) cut(x *Node) *Node {
	batch, width := x.Shape().Dim(0), x.Shape().Dim(3)
	var parts []*Node
	for _, r := range w.regions() {
		part := Slice(x, AxisRange(), AxisRange(r.row, r.row+r.down*r.height), AxisRange(r.col, r.col+r.across*r.width))
		part = Reshape(part, batch, r.down, r.height, r.across, r.width, width)
		part = TransposeAllAxes(part, 0, 1, 3, 2, 4, 5)
		parts = append(parts, Reshape(part, batch, r.tokens(), width))
	}
	return Concatenate(parts, 1)
}

// join is the inverse of cut: [B, R·C, width] to [B, R, C, width].
func (w windows) join(x *Node) *Node {
	batch, width := x.Shape().Dim(0), x.Shape().Dim(2)
	var bands, parts []*Node
	at := 0
	for _, r := range w.regions() {
		part := Slice(x, AxisRange(), AxisRange(at, at+r.tokens()))
		at += r.tokens()
		part = Reshape(part, batch, r.down, r.across, r.height, r.width, width)
		part = TransposeAllAxes(part, 0, 1, 3, 2, 4, 5)
		parts = append(parts, Reshape(part, batch, r.down*r.height, r.across*r.width, width))
		if r.col+r.across*r.width == w.cols {
			bands, parts = append(bands, Concatenate(parts, 2)), nil
		}
	}
	return Concatenate(bands, 1)
}

// group is a stack of windows with equally many tokens that follow each other.
type group struct{ start, count, size int }

// groups returns the stacks for tokens of so many patches.
func (w windows) groups(patches int) (groups []group) {
	at := 0
	for _, r := range w.regions() {
		g := group{start: at, count: r.down * r.across, size: r.height * r.width * patches}
		at += g.count * g.size
		if n := len(groups); n > 0 && groups[n-1].size == g.size {
			groups[n-1].count += g.count
		} else {
			groups = append(groups, g)
		}
	}
	return groups
}

// take cuts the stack out of x [B, N, H, D]: [B·count, size, H, D].
func (g group) take(x *Node) *Node {
	d := x.Shape().Dimensions
	if g.count*g.size != d[1] {
		x = Slice(x, AxisRange(), AxisRange(g.start, g.start+g.count*g.size))
	}
	return Reshape(x, d[0]*g.count, g.size, d[2], d[3])
}
