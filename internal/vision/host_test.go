package vision

import (
	"math"
	"math/rand/v2"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/golden"
)

// TestResizeCrop8 compares with ResizeCrop, but for rounding: that of the two axes
// adds up to one level and a little. That Pillow does the same to the bit is what the
// fixture of verifier/clip shows.
func TestResizeCrop8(t *testing.T) {
	rt := golden.Runtime(t)
	random := rand.New(rand.NewPCG(1, 2))
	for _, test := range []struct{ from, to, crop Size }{
		{Size{5, 7}, Size{5, 7}, Size{5, 7}},
		{Size{5, 7}, Size{5, 7}, Size{3, 4}},
		{Size{9, 4}, Size{9, 8}, Size{9, 8}},
		{Size{40, 30}, Size{12, 9}, Size{9, 9}},
		{Size{6, 11}, Size{8, 14}, Size{8, 8}},
	} {
		img, values := make([]uint8, test.from.Area()*3), make([]float32, test.from.Area()*3)
		for i := range img {
			img[i] = uint8(80 + random.IntN(100)) // where nothing is clamped
			values[i] = float32(img[i])
		}
		for _, kernel := range []Kernel{Bilinear, Bicubic} {
			got := ResizeCrop8(img, test.from, test.to, test.crop, kernel)
			want := run(t, rt, func(in []*Node) []*Node {
				return []*Node{ResizeCrop(in[0], test.to, test.crop, Filter{kernel, true})}
			}, tensors.FromFlatDataAndDimensions(values, 1, test.from.Height, test.from.Width, 3))[0]
			require.Len(t, got, len(want))
			for i, w := range want {
				require.LessOrEqual(t, math.Abs(float64(w)-float64(got[i])), 1.2, "%v %v", test, i)
			}
		}
	}
	require.Panics(t, func() { ResizeCrop8(make([]uint8, 12), Size{2, 2}, Size{2, 2}, Size{3, 2}, Bicubic) })
}
