package qwen25vl

import (
	"fmt"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
)

const nameInFixtures = "qwen2_5_vl"

// TestGolden compares everything that the fixtures hold about Qwen2.5-VL.
func TestGolden(t *testing.T) {
	vlmtest.Golden(t, vlmtest.Model{
		Name: nameInFixtures, Open: open, Result: inBlocks, Whole: grids,
	})
}

// own is what this folder gave a verifier.
func own(v *vlm.Verifier) *network { return vlm.Pieces(v).Model.(*network) }

// windowsOf are the windows of the pictures of a case.
func windowsOf(x vlmtest.Case) windows {
	m := own(x.Verifier)
	size, err := m.target(x.Size)
	if err != nil {
		panic(err)
	}
	unit := m.config.Vision.Patch * m.config.Vision.Merge
	return windows{size.Height / unit, size.Width / unit, m.config.Vision.side()}
}

// inBlocks brings what goes through the tower's blocks into the reference's order.
func inBlocks(t *testing.T, x vlmtest.Case, name string) (out []float32) {
	var modules []string
	switch name {
	case "vision_blocks":
		for i := range own(x.Verifier).config.Vision.Depth {
			modules = append(modules, fmt.Sprint(name, ".", i))
		}
	case "vision_output", "merger_windowed":
		modules = []string{name}
	}
	places, _, _ := inReference(windowsOf(x))
	for _, name := range modules {
		require.Contains(t, x.Recorded, name)
		values := tensors.MustCopyFlatData[float32](x.Recorded[name])
		each := len(values) / len(places)
		for _, place := range places {
			out = append(out, values[place*each:(place+1)*each]...)
		}
	}
	return out
}

// grids returns the order of tokens in the reference, the ends of its windows in
// patches, and the grid of patches.
func grids(x vlmtest.Case) map[string][]int32 {
	w, merge := windowsOf(x), own(x.Verifier).config.Vision.Merge
	_, order, lengths := inReference(w)
	ends := []int32{0}
	for _, n := range lengths {
		ends = append(ends, ends[len(ends)-1]+int32(n*merge*merge))
	}
	return map[string][]int32{
		"window_index": order, "cu_window_seqlens": ends,
		"image_grid_thw": {1, int32(w.rows * merge), int32(w.cols * merge)},
	}
}

// inReference returns where each token of the reference's order stands in ours,
// the reference's order itself, and the tokens of its windows. The reference takes
// the windows row by row.
func inReference(w windows) (places []int, order []int32, lengths []int) {
	type window struct{ row, col, place, tokens int }
	var all []window
	ours, place := w.order(), 0
	for _, r := range w.regions() {
		for range r.down * r.across {
			all = append(all, window{ours[place] / w.cols, ours[place] % w.cols, place, r.height * r.width})
			place += r.height * r.width
		}
	}
	slices.SortFunc(all, func(a, b window) int { return (a.row-b.row)*w.cols + a.col - b.col })
	for _, a := range all {
		for i := range a.tokens {
			places, order = append(places, a.place+i), append(order, int32(ours[a.place+i]))
		}
		lengths = append(lengths, a.tokens)
	}
	return places, order, lengths
}
