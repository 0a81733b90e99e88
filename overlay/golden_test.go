package overlay

import (
	"image"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/golden"
)

// tolerance is relative to the largest element. What remains is the rounding of
// going from the fixtures' [-1, 1] to our [0, 1] and back.
const tolerance = 5e-7

// ofVerifiers are groups of keys that lie in these fixtures but are about a
// verifier's preprocessing, which is compared there.
var ofVerifiers = map[string]bool{"renorm": true, "vlm": true}

func TestGolden(t *testing.T) {
	backend := testBackend(t)
	for _, f := range golden.Fixtures(t, golden.Overlay) {
		var about struct {
			Cases map[string]struct {
				PNG string `json:"overlay_png"`
			}
		}
		f.Decode(t, &about)
		for group, keys := range golden.Groups(f.Keys()) {
			if ofVerifiers[group] {
				continue
			}
			t.Run(f.Name+"/"+group, func(t *testing.T) {
				picture, err := Open(f.Path(about.Cases[group].PNG))
				require.NoError(t, err)
				got := results(t, backend, f, group, picture)
				for _, key := range keys {
					t.Run(key, func(t *testing.T) { compareKey(t, f, key, got, picture) })
				}
			})
		}
	}
}

// compareKey compares what the key of a fixture holds.
func compareKey(t *testing.T, f *golden.Fixture, key string, got map[string][]float32, picture image.Image) {
	_, part, _ := strings.Cut(key, ".")
	switch part {
	case "image": // the input
	case "overlay_preprocessed":
		p := toPixels(prepare(premultiplied(picture, picture.Bounds(), true), 8))
		want, shape := f.Floats(t, key)
		require.Equal(t, []int{1, 3, p.height, p.width}, shape)
		require.Equal(t, want, p.planes(), "the picture is preprocessed bit for bit")
	default:
		require.Contains(t, got, part, "nobody computes this key")
		f.Compare(t, key, got[part], tolerance)
	}
}

func toPixels(picture *image.RGBA) pixels {
	p := pixels{height: picture.Rect.Dy(), width: picture.Rect.Dx()}
	for y := range p.height {
		p.values = appendRow(p.values, picture, y)
	}
	return p
}

// results computes the keys <case>.{solid,transparent}.{pipe,nopipe,grad} in one
// graph: with the image processor of the reference's pipeline, without it, and
// the gradient with it.
func results(t *testing.T, backend compute.Backend, f *golden.Fixture, name string, picture image.Image) map[string][]float32 {
	values, shape := f.Floats(t, name+".image")
	keys := []string{"solid.pipe", "solid.nopipe", "solid.grad", "transparent.pipe", "transparent.nopipe", "transparent.grad"}
	outs, err := graph.CallOnceN(backend, func(x *graph.Node) []*graph.Node {
		solid := fixtureForm(x, Solid{Picture: picture, Fit: Stretch, Paper: true}.Apply)
		transparent := fixtureForm(x, Transparent{Picture: picture, Fit: Stretch, Paper: true}.Apply)
		return []*graph.Node{
			solid, fixtureForm(x, Solid{Picture: picture, Fit: Stretch, Paper: true, Multiple: 1}.Apply), weighted(solid, x),
			transparent, fixtureForm(x, Transparent{Picture: picture, Fit: Stretch, Paper: true, Multiple: 1}.Apply), weighted(transparent, x),
		}
	}, tensors.FromFlatDataAndDimensions(values, shape...))
	require.NoError(t, err)
	got := map[string][]float32{}
	for i, key := range keys {
		got[key] = tensors.MustCopyFlatData[float32](outs[i])
	}
	return got
}

// fixtureForm applies an overlay to the fixtures' images, [1, 3, height, width]
// in [-1, 1], and returns the same form.
func fixtureForm(x *graph.Node, apply func(*graph.Node) *graph.Node) *graph.Node {
	ours := graph.TransposeAllAxes(graph.MulScalar(graph.AddScalar(x, 1), 0.5), 0, 2, 3, 1)
	return graph.AddScalar(graph.MulScalar(graph.TransposeAllAxes(apply(ours), 0, 3, 1, 2), 2), -1)
}

// weighted returns d sum(w*out) / dx, with w running from -1 to 1 over out.
func weighted(out, x *graph.Node) *graph.Node {
	n := float64(out.Shape().Size())
	w := graph.AddScalar(graph.MulScalar(graph.Reshape(graph.Iota(x.Graph(), shapes.Make(x.DType(), out.Shape().Size()), 0), out.Shape().Dimensions...), 2/(n-1)), -1)
	return graph.Gradient(graph.ReduceAllSum(graph.Mul(w, out)), x)[0]
}

// planes returns the colours in torch's order, [3, height, width].
func (p pixels) planes() []float32 {
	var out []float32
	for k := range 3 {
		for i := k; i < len(p.values); i += 4 {
			out = append(out, p.values[i])
		}
	}
	return out
}

func testBackend(t *testing.T) compute.Backend {
	r, err := backends.Open(t.Context(), backends.Options{NoDownload: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r.Backend
}
