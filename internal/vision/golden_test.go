package vision

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
)

// Tolerances relative to the largest element. Torch's own two ways of computing
// the weights differ by more.
const (
	resizeTolerance   = 3e-6
	gradientTolerance = 1e-5
)

var filters = map[string]Filter{
	"bilinear_aa": {Bilinear, true}, "bilinear_noaa": {Bilinear, false}, "bicubic_aa": {Bicubic, true}, "bicubic_noaa": {Bicubic, false},
	"lanczos_aa": {Lanczos, true},
}

// TestGoldenResize compares the resize alone, and its vector-Jacobian product.
func TestGoldenResize(t *testing.T) {
	rt := golden.Runtime(t)
	for _, f := range append(golden.Files(t, "resize"), golden.Files(t, "resize_lanczos")...) {
		t.Run(f.Name, func(t *testing.T) {
			pairs := map[string]bool{}
			for _, key := range f.Keys() {
				if pair := strings.Split(key, "/")[1]; strings.Contains(pair, "_to_") {
					pairs[pair] = true
				}
			}
			for pair := range pairs {
				t.Run(pair, func(t *testing.T) { compareResize(t, rt, f, pair) })
			}
			require.Empty(t, f.Unread(), "nobody compares these")
		})
	}
}

// compareResize compares all keys resize/{h}x{w}_to_{H}x{W}/….
func compareResize(t *testing.T, rt *backends.Runtime, f *golden.Fixture, pair string) {
	var from, to Size
	_, err := fmt.Sscanf(pair, "%dx%d_to_%dx%d", &from.Height, &from.Width, &to.Height, &to.Width)
	require.NoError(t, err)
	in := f.Tensor(t, fmt.Sprintf("resize/%dx%d/input", from.Height, from.Width))
	cotangent := tensors.FromFlatDataAndDimensions(make([]float32, in.Shape().Dim(0)*3*to.Area()), in.Shape().Dim(0), 3, to.Height, to.Width)
	if key := "resize/" + pair + "/cotangent"; f.Has(key) {
		cotangent = f.Tensor(t, key)
	}
	kinds := slices.DeleteFunc(slices.Sorted(maps.Keys(filters)), func(kind string) bool {
		return !f.Has("resize/" + pair + "/" + kind + "/output")
	})
	out := run(t, rt, func(in []*Node) (out []*Node) {
		for _, kind := range kinds {
			y := channelsFirst(Resize(channelsLast(in[0]), to, filters[kind]))
			out = append(out, y, Gradient(ReduceAllSum(Mul(y, in[1])), in[0])[0])
		}
		return out
	}, in, cotangent)
	for i, kind := range kinds {
		for key, compare := range map[string]func(key string){
			"/output": func(key string) { f.Compare(t, key, out[2*i], resizeTolerance) },
			"/vjp":    func(key string) { f.Compare(t, key, out[2*i+1], gradientTolerance) },
		} {
			if key = "resize/" + pair + "/" + kind + key; f.Has(key) {
				compare(key)
			}
		}
	}
}

// TestGoldenPaper compares the reference's whole processing, with its gradient:
// the groups of the overlay's fixtures that belong to verifiers.
func TestGoldenPaper(t *testing.T) {
	rt := golden.Runtime(t)
	for _, f := range golden.Fixtures(t, golden.Overlay) {
		var about struct {
			Cases map[string]paperCase
		}
		f.Decode(t, &about)
		groups := golden.Groups(f.Keys())
		require.NotEmpty(t, groups["vlm"])
		t.Run(f.Name, func(t *testing.T) {
			x := f.Tensor(t, "renorm.in")
			out := run(t, rt, func(in []*Node) []*Node { return []*Node{Stretch(in[0])} }, x)
			f.Compare(t, "renorm.minmax_to_01", out[0], resizeTolerance)
			for _, key := range groups["vlm"] {
				name, part := cutLast(key)
				require.Contains(t, about.Cases, name)
				t.Run(key, func(t *testing.T) {
					tolerance := map[string]float64{"pixel_values": resizeTolerance, "grad": 2e-5}[part]
					out := about.Cases[name].run(t, rt, x)
					f.Compare(t, key, out[part], tolerance)
				})
			}
		})
	}
}

func cutLast(key string) (name, part string) {
	at := strings.LastIndex(key, ".")
	return key[:at], key[at+1:]
}

// paperCase is one way in which the reference processes a picture.
type paperCase struct {
	Size      []int `json:"size_hw"`
	Mean, Std []float64
}

// run returns the pixel values and the gradient of their sum, weighted by cosines.
func (c paperCase) run(t *testing.T, rt *backends.Runtime, x *tensors.Tensor) map[string][]float32 {
	require.Len(t, c.Size, 2)
	cosines := make([]float32, 3*c.Size[0]*c.Size[1])
	for i := range cosines {
		cosines[i] = float32(math.Cos(float64(i)))
	}
	out := run(t, rt, func(in []*Node) []*Node {
		y := Normalize(Stretch(channelsLast(in[0])), c.Mean, c.Std)
		y = channelsFirst(Resize(y, Size{c.Size[0], c.Size[1]}, Filter{Kernel: Bilinear}))
		return []*Node{y, Gradient(ReduceAllSum(Mul(y, in[1])), in[0])[0]}
	}, x, tensors.FromFlatDataAndDimensions(cosines, 1, 3, c.Size[0], c.Size[1]))
	return map[string][]float32{"pixel_values": out[0], "grad": out[1]}
}

func channelsLast(x *Node) *Node  { return TransposeAllAxes(x, 0, 2, 3, 1) }
func channelsFirst(x *Node) *Node { return TransposeAllAxes(x, 0, 3, 1, 2) }

// run executes a graph function once.
func run(t *testing.T, rt *backends.Runtime, build func(in []*Node) []*Node, inputs ...any) [][]float32 {
	t.Helper()
	exec, err := graphs.NewExecutor(rt, func(in []*Node) []*Node { return build(in) })
	require.NoError(t, err)
	defer exec.Finalize()
	out, err := exec.Call(inputs...)
	require.NoError(t, err)
	values := make([][]float32, len(out))
	for i, x := range out {
		values[i] = tensors.MustCopyFlatData[float32](x)
	}
	return values
}
