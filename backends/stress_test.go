package backends

import (
	"fmt"
	"os"
	"runtime/pprof"
	"testing"
	"time"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"
)

// present opens every backend that this machine has without a download.
func present(t *testing.T) []*Runtime {
	t.Helper()
	var runtimes []*Runtime
	for _, spec := range []string{"xla:cuda", "xla:cpu", "go"} {
		r, err := Open(t.Context(), Options{Backend: spec, NoDownload: true})
		if err != nil {
			t.Logf("not here: %v", err)
			continue
		}
		t.Cleanup(func() { require.NoError(t, r.Close()) })
		runtimes = append(runtimes, r)
	}
	return runtimes
}

// The stress graph: 6 small attention layers, whose many operations are ready at once, and a few products that are
// large enough to be spread over the pure Go backend's pool of workers while other operations hold places in it.
const (
	stressLayers, stressHeads = 6, 4
	stressLength, stressWidth = 16, 32
	stressProducts            = 8
	largeLength, largeWidth   = 64, 256
)

// attentionLoss builds residual attention layers over x [length, width] and returns the loss and its gradient by the
// weights [layers, 4, width, width], which are queries, keys, values and outputs.
func attentionLoss(x, weights *Node) (loss, gradient *Node) {
	heads := func(y *Node) *Node {
		return Reshape(y, stressLength, stressHeads, stressWidth/stressHeads)
	}
	y := x
	for layer := range stressLayers {
		project := func(y *Node, i int) *Node {
			w := Reshape(Slice(weights, AxisElem(layer), AxisElem(i)), stressWidth, stressWidth)
			return MatMul(y, w)
		}
		q, k, v := heads(project(y, 0)), heads(project(y, 1)), heads(project(y, 2))
		scores := MulScalar(Einsum("qhd,khd->hqk", q, k), 0.35)
		mixed := Einsum("hqk,khd->qhd", Softmax(scores, -1), v)
		y = Add(y, project(Reshape(mixed, stressLength, stressWidth), 3))
	}
	loss = ReduceAllMean(Square(y))
	return loss, Gradient(loss, weights)[0]
}

// products builds independent products of x [length, width] with w [width, width], and returns a scalar of them.
func products(x, w *Node) *Node {
	sum := ScalarZero(x.Graph(), x.DType())
	for i := range stressProducts {
		sum = Add(sum, ReduceAllMean(Square(MatMul(AddScalar(x, float64(i)), w))))
	}
	return sum
}

// TestStress runs graphs of the kind that hung the pure Go backend in its parallel mode, forward and backward.
func TestStress(t *testing.T) {
	runs := 200
	if testing.Short() {
		runs = 20
	}
	for _, r := range present(t) {
		t.Run(r.Name, func(t *testing.T) {
			defer watch(t, 5*time.Minute)()
			exec, err := model.NewExec(r.Backend, r.Store, func(_ *model.Scope, in []*Node) []*Node {
				loss, gradient := attentionLoss(in[0], in[1])
				return []*Node{loss, ReduceAllSum(Square(gradient)), products(in[2], in[3])}
			})
			require.NoError(t, err)
			defer exec.Finalize()
			inputs := []any{
				wave(1, stressLength, stressWidth), wave(0.2, stressLayers, 4, stressWidth, stressWidth),
				wave(1, largeLength, largeWidth), wave(0.01, largeWidth, largeWidth),
			}
			var first [3]float64
			start := time.Now()
			for i := range runs {
				out, err := exec.Call(inputs...)
				require.NoError(t, err)
				got := [3]float64{scalar(t, out[0]), scalar(t, out[1]), scalar(t, out[2])}
				if i == 0 {
					first = got
					require.Greater(t, got[1], 0.0, "there is a gradient")
				}
				require.InEpsilonSlice(t, first[:], got[:], 1e-3, "run %d", i)
			}
			t.Logf("%d runs in %s, loss %.4f", runs, time.Since(start).Round(time.Millisecond), first[0])
		})
	}
}

// wave returns numbers in [-size, size] that differ.
func wave(size float32, shape ...int) *tensors.Tensor {
	n := 1
	for _, axis := range shape {
		n *= axis
	}
	values := make([]float32, n)
	for i := range values {
		values[i] = size * float32((i*7919)%101-50) / 50
	}
	return tensors.FromFlatDataAndDimensions(values, shape...)
}

func scalar(t *testing.T, x *tensors.Tensor) float64 {
	t.Helper()
	require.Equal(t, dtypes.Float32, x.DType())
	value := float64(tensors.ToScalar[float32](x))
	x.MustFinalizeAll()
	return value
}

// watch ends the process with a dump of all goroutines when the returned function is not called in time: a hang in
// another library cannot be cancelled, and the dump is what its authors need.
func watch(t *testing.T, limit time.Duration) (stop func()) {
	name := t.Name()
	timer := time.AfterFunc(limit, func() {
		_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 2) // the panic says the main thing
		panic(fmt.Sprintf("%s hangs: not done in %s", name, limit))
	})
	return func() { timer.Stop() }
}
