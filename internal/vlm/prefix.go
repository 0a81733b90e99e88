package vlm

import (
	"fmt"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/vision"
)

// prefix is what every sequence about a picture of one size begins with: the
// prompt's beginning and the picture.
type prefix struct {
	layout    Layout
	text      int // tokens of the prompt's beginning
	ids       []int
	positions [][]int // per axis; nil counts on
	next      int     // position of what follows
}

// prefix lays out pictures of a size.
func (v *Verifier) prefix(height, width int) (*prefix, error) {
	size := vision.Size{Height: height, Width: width}
	if height < 1 || width < 1 {
		return nil, fmt.Errorf("%w: %s", ErrPictureSize, size)
	}
	layout, err := v.setup.Model.Layout(size)
	if err != nil {
		return nil, err
	}
	p := &prefix{layout: layout, text: len(v.promptPrefix), ids: append(append([]int(nil), v.promptPrefix...), layout.Tokens...)}
	p.next = len(p.ids)
	if layout.Positions == nil {
		return p, nil
	}
	for _, axis := range layout.Positions {
		var positions []int
		for i := range p.text {
			positions = append(positions, i)
		}
		for _, at := range axis {
			positions = append(positions, p.text+at)
		}
		p.positions = append(p.positions, positions)
	}
	p.next = p.text + layout.Next
	return p, nil
}

// mustPrefix is prefix in a graph.
func (v *Verifier) mustPrefix(image *Node) *prefix {
	d := image.Shape().Dimensions
	if len(d) != 4 || d[3] != 3 {
		exceptions.Panicf("%s: pictures are %s, want [batch, height, width, 3]", v.setup.Name, image.Shape())
	}
	p, err := v.prefix(d[1], d[2])
	if err != nil {
		panic(fmt.Errorf("%s: %w", v.setup.Name, err))
	}
	return p
}

// prefixSpan runs the vision tower and returns the prefix, ready for the decoder.
func (v *Verifier) prefixSpan(f nn.Pass, image *Node, p *prefix) decoder.Span {
	g := image.Graph()
	features, deep := v.features(f, image)
	s := decoder.Span{Embeds: v.place(p, features, func(ids []int) *Node {
		return v.setup.Decoder.Embed(f, Const(g, int32s(ids)), features.DType())
	})}
	for _, x := range deep {
		s.Deep = append(s.Deep, v.place(p, x, func(ids []int) *Node {
			return Zeros(g, shapes.Make(x.DType(), 1, len(ids), x.Shape().Dim(2)))
		}))
	}
	if p.positions != nil {
		s.Positions = Const(g, int32s(p.positions...))
	}
	if p.layout.Bidirectional {
		groups := make([]int, len(p.ids))
		for i := range groups {
			if v.isImage(p, i) {
				groups[i] = 1
			}
		}
		s.Groups = Const(g, int32s(groups)[0])
	}
	return s
}

// isImage says whether a token of the prefix is one of the picture's vectors.
func (v *Verifier) isImage(p *prefix, i int) bool { return i >= p.text && p.ids[i] == v.setup.Image }

// features runs the vision tower.
func (v *Verifier) features(f nn.Pass, image *Node) (features *Node, deep []*Node) {
	m, ok := v.setup.Model.(Deep)
	if !ok {
		return v.setup.Model.Features(f, image), nil
	}
	features, deep = m.DeepFeatures(f, image)
	if f.Recorder != nil && len(deep) > 0 {
		f.Record("deepstack_features", Concatenate(deep, 0))
	}
	return features, deep
}

// place puts vectors [B, T, hidden] in place of the image tokens, between those of the
// others, which text returns, [1, n, hidden]: [B, P, hidden].
func (v *Verifier) place(p *prefix, vectors *Node, text func(ids []int) *Node) *Node {
	d := vectors.Shape().Dimensions
	var parts []*Node
	used := 0
	for i := 0; i < len(p.ids); {
		end := i
		for end < len(p.ids) && v.isImage(p, end) == v.isImage(p, i) {
			end++
		}
		if v.isImage(p, i) {
			if used+end-i > d[1] {
				break
			}
			parts = append(parts, Slice(vectors, AxisRange(), AxisRange(used, used+end-i)))
			used += end - i
		} else {
			parts = append(parts, BroadcastToDims(text(p.ids[i:end]), d[0], end-i, d[2]))
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
