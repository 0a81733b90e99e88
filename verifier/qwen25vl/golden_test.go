package qwen25vl

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// tolerance of intermediate results, relative to the largest element. Those of the
// fixtures' README are absolute, on numbers of a few units.
const tolerance = 1e-5

// reference is a fixture: what transformers and the paper's code computed.
type reference struct {
	*golden.Fixture
	rt *backends.Runtime
}

// TestGolden compares everything that the fixtures hold about Qwen2.5-VL.
func TestGolden(t *testing.T) {
	rt, found := golden.Runtime(t), false
	for _, f := range golden.Fixtures(t, golden.Verifier) {
		var about struct{ Name string }
		f.Decode(t, &about)
		if about.Name != "qwen2_5_vl" {
			continue // verifier's tests see to it that every model is compared
		}
		found = true
		r := &reference{f, rt}
		t.Run(f.Name, func(t *testing.T) {
			t.Run("size", r.testSize)
			t.Run("vision", r.testVision)
		})
	}
	require.True(t, found)
}

// parts opens the tower alone.
func (r *reference) parts(t *testing.T) *parts {
	fsys := os.DirFS(r.Path("model"))
	c, err := ReadConfig(fsys)
	require.NoError(t, err)
	m := &parts{config: c, runtime: r.rt, paper: true}
	others := func(name string) bool { return !strings.HasPrefix(name, "visual.") }
	root := weights.Root(r.rt.Store, "/tower")
	require.NoError(t, weights.Load(fsys, ".", r.rt.Store, root, others, func(c weights.Cursor) {
		m.vision = NewVision(c.In("visual"), m.config.Vision)
	}))
	t.Cleanup(func() { require.NoError(t, r.rt.Store.DeleteVariablesInScope(root)) })
	return m
}

// testSize compares the sizes that pictures are brought to.
func (r *reference) testSize(t *testing.T) {
	var official struct {
		SizeRule struct {
			Table []struct{ In, Out []int }
		} `json:"size_rule"`
	}
	data, err := os.ReadFile(r.Path("official.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &official))
	require.NotEmpty(t, official.SizeRule.Table)
	c, err := ReadConfig(os.DirFS(r.Path("model")))
	require.NoError(t, err)
	for _, rule := range official.SizeRule.Table {
		got, err := c.Processor.target(vision.Size{Height: rule.In[0], Width: rule.In[1]})
		if rule.Out == nil {
			require.ErrorIs(t, err, ErrPictureSize, rule.In)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, vision.Size{Height: rule.Out[0], Width: rule.Out[1]}, got, rule.In)
	}
}

// testVision compares every step of the tower.
func (r *reference) testVision(t *testing.T) {
	m := r.parts(t)
	for k, image := range map[string]string{"a": "image", "ns": "image_ns"} {
		if !slices.Contains(r.Keys(), k+".projector_output") {
			continue
		}
		t.Run(k, func(t *testing.T) {
			var w windows
			got := golden.Run(t, r.rt, func(p *nn.Probe, in []*Node) {
				m.Features(p, TransposeAllAxes(in[0], 0, 2, 3, 1), false)
			}, r.Tensor(t, image))
			d := got["pixel_values"].Shape().Dimensions
			w = windows{d[1], d[2], m.config.Vision.side()}
			places, order, ends := fromReference(w, d[3])
			require.Equal(t, r.Ints(t, k+".window_index"), order)
			require.Equal(t, r.Ints(t, k+".cu_window_seqlens"), ends)
			require.Equal(t, r.Ints(t, k+".image_grid_thw"), []int32{1, int32(d[1] * m.config.Vision.Merge), int32(d[2] * m.config.Vision.Merge)})
			r.compareTower(t, k, got, places, m.config.Vision)
		})
	}
}

// compareTower compares what the probe saw; places says where each token of the
// reference's order stands in ours.
func (r *reference) compareTower(t *testing.T, k string, got golden.Results, places []int, c VisionConfig) {
	for _, name := range []string{"pixel_values", "patch_embed", "projector_output"} {
		if key := k + "." + name; name != "pixel_values" || slices.Contains(r.Keys(), key) {
			r.Compare(t, key, got.Floats(t, name), tolerance)
		}
	}
	var blocks []float32
	for i := range c.Depth {
		blocks = append(blocks, reordered(got.Floats(t, fmt.Sprintf("vision_blocks.%d", i)), places)...)
	}
	r.Compare(t, k+".vision_blocks", blocks, tolerance)
	r.Compare(t, k+".vision_output", reordered(got.Floats(t, "vision_output"), places), tolerance)
	r.Compare(t, k+".merger_windowed", reordered(got.Floats(t, "merger_windowed"), places), tolerance)
}

// reordered brings rows of numbers, equally many for each token, to other places.
func reordered(values []float32, places []int) (out []float32) {
	n := len(values) / len(places)
	for _, place := range places {
		out = append(out, values[place*n:(place+1)*n]...)
	}
	return out
}

// fromReference returns where each token of the reference's order stands in ours,
// the reference's order itself, and the ends of its windows, in patches.
func fromReference(w windows, patches int) (places []int, order, ends []int32) {
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
	ends = []int32{0}
	for _, a := range all {
		for i := range a.tokens {
			places = append(places, a.place+i)
			order = append(order, int32(ours[a.place+i]))
		}
		ends = append(ends, ends[len(ends)-1]+int32(a.tokens*patches))
	}
	return places, order, ends
}
