package qwen25vl

import (
	"fmt"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/golden"
)

// grids of tokens with windows that fit, that are cut on one side or on both, and
// that are larger than the grid.
var someWindows = []windows{{4, 6, 2}, {5, 6, 2}, {4, 7, 3}, {5, 7, 3}, {7, 5, 4}, {2, 3, 4}, {1, 1, 1}, {3, 9, 4}}

// TestOrder compares the order of tokens with the definition of windows.
func TestOrder(t *testing.T) {
	for _, w := range someWindows {
		t.Run(fmt.Sprint(w), func(t *testing.T) {
			order := w.order()
			sorted := slices.Sorted(slices.Values(order))
			for i, token := range sorted {
				require.Equal(t, i, token, "every token has one place")
			}
			window := func(token int) [2]int { return [2]int{token / w.cols / w.side, token % w.cols / w.side} }
			ended := map[[2]int]bool{}
			at := 0
			for _, g := range w.groups(1) {
				for range g.count {
					first := window(order[at])
					require.False(t, ended[first], "a window is in one piece")
					for _, token := range order[at : at+g.size] {
						require.Equal(t, first, window(token))
					}
					ended[first] = true
					at += g.size
				}
			}
			require.Len(t, order, at)
		})
	}
}

// TestCut brings numbers into the order of the windows and back.
func TestCut(t *testing.T) {
	rt := golden.Plain(t)
	for _, w := range someWindows {
		t.Run(fmt.Sprint(w), func(t *testing.T) {
			const batch, width = 2, 3
			values := make([]float32, batch*w.rows*w.cols*width)
			for i := range values {
				values[i] = float32(i)
			}
			got := golden.Run(t, rt, func(in []*Node) golden.Outputs {
				cut := w.cut(in[0])
				return golden.Outputs{"cut": cut, "joined": w.join(cut)}
			}, tensors.FromFlatDataAndDimensions(values, batch, w.rows, w.cols, width))
			require.Equal(t, values, got.Floats(t, "joined"))
			cut := got["cut"].Value().([][][]float32)
			for b := range batch {
				for place, token := range w.order() {
					at := (b*w.rows*w.cols + token) * width
					require.Equal(t, values[at:at+width], cut[b][place])
				}
			}
		})
	}
}
