package vlm

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/vision"
)

// view is the prefix of every sequence about a picture of one size: the prompt's
// beginning and the picture.
type view struct {
	layout    Layout
	ids       []int
	positions [][]int // per axis; nil counts on
	behind    int     // position of what follows
}

// view lays out pictures of a size.
func (v *Verifier) view(height, width int) (*view, error) {
	size := vision.Size{Height: height, Width: width}
	if height < 1 || width < 1 {
		return nil, fmt.Errorf("%w: %s", ErrPictureSize, size)
	}
	layout, err := v.setup.Model.Layout(size)
	if err != nil {
		return nil, err
	}
	w := &view{layout: layout, ids: append(append([]int(nil), v.before...), layout.Tokens...)}
	w.behind = len(w.ids)
	if layout.Positions == nil {
		return w, nil
	}
	start := len(v.before)
	for _, axis := range layout.Positions {
		var positions []int
		for i := range start {
			positions = append(positions, i)
		}
		for _, at := range axis {
			positions = append(positions, start+at)
		}
		w.positions = append(w.positions, positions)
	}
	w.behind = start + layout.Behind
	return w, nil
}

// mustView is view in a graph.
func (v *Verifier) mustView(image *Node) *view {
	d := image.Shape().Dimensions
	if len(d) != 4 || d[3] != 3 {
		exceptions.Panicf("%s: pictures are %s, want [batch, height, width, 3]", v.setup.Name, image.Shape())
	}
	w, err := v.view(d[1], d[2])
	if err != nil {
		panic(fmt.Errorf("%s: %w", v.setup.Name, err))
	}
	return w
}

// span runs the vision tower and returns the prefix, ready for the decoder.
func (v *Verifier) span(f nn.Pass, image *Node, w *view) decoder.Span {
	g := image.Graph()
	s := decoder.Span{Embeds: v.merge(f, w, v.setup.Model.Features(f, image))}
	if w.positions != nil {
		s.Positions = Const(g, int32s(w.positions...))
	}
	if w.layout.Together {
		groups := make([]int, len(w.ids))
		for i, id := range w.ids[len(v.before):] {
			if id == v.setup.Image {
				groups[len(v.before)+i] = 1
			}
		}
		s.Groups = Const(g, int32s(groups)[0])
	}
	return s
}

// merge puts features [B, T, hidden] in place of the image tokens: [B, P, hidden].
func (v *Verifier) merge(f nn.Pass, w *view, features *Node) *Node {
	d := features.Shape().Dimensions
	isImage := func(i int) bool { return i >= len(v.before) && w.ids[i] == v.setup.Image }
	var parts []*Node
	used := 0
	for i := 0; i < len(w.ids); {
		end := i
		for end < len(w.ids) && isImage(end) == isImage(i) {
			end++
		}
		if isImage(i) {
			if used+end-i > d[1] {
				break
			}
			parts = append(parts, Slice(features, AxisRange(), AxisRange(used, used+end-i)))
			used += end - i
		} else {
			words := v.setup.Decoder.Embed(f, Const(features.Graph(), int32s(w.ids[i:end])), features.DType())
			parts = append(parts, BroadcastToDims(words, d[0], end-i, d[2]))
		}
		i = end
	}
	if used != d[1] || used == 0 {
		exceptions.Panicf("%s: %d features for another number of image tokens", v.setup.Name, d[1])
	}
	return Concatenate(parts, 1)
}

func int32s(rows ...[]int) [][]int32 {
	out := make([][]int32, len(rows))
	for r, row := range rows {
		out[r] = make([]int32, len(row))
		for i, x := range row {
			out[r][i] = int32(x)
		}
	}
	return out
}
