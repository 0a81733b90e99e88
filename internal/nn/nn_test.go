package nn

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// drawn is a weights.Source of random variables.
type drawn struct {
	store *model.Store
	rng   *rand.Rand
}

func (s drawn) Variable(name string, dims ...int) (*model.Variable, error) {
	return s.store.CreateVariable("/"+name, random(s.rng, dims...))
}

func random(rng *rand.Rand, dims ...int) *tensors.Tensor {
	size := 1
	for _, d := range dims {
		size *= d
	}
	values := make([]float32, size)
	for i := range values {
		values[i] = float32(rng.NormFloat64())
	}
	return tensors.FromFlatDataAndDimensions(values, dims...)
}

// onEach runs a test on every backend that this machine has.
func onEach(t *testing.T, test func(t *testing.T, rt *backends.Runtime, c weights.Cursor, rng *rand.Rand)) {
	for _, name := range []string{"go", "xla:cpu"} {
		t.Run(name, func(t *testing.T) {
			rt, err := backends.Open(context.Background(), backends.Options{Backend: name, NoDownload: true})
			if err != nil {
				t.Skip(err)
			}
			defer rt.Close()
			rng := rand.New(rand.NewPCG(1, 2))
			test(t, rt, weights.NewCursor(drawn{rt.Store, rng}), rng)
		})
	}
}

// run executes a graph function on tensors.
func run(t *testing.T, rt *backends.Runtime, fn func(in []*Node) []*Node, args ...any) []*tensors.Tensor {
	t.Helper()
	exec, err := graphs.NewExecutor(rt, func(in []*Node) []*Node { return fn(in) })
	require.NoError(t, err)
	out, err := exec.Call(args...)
	require.NoError(t, err)
	return out
}

func flat(t *tensors.Tensor) []float32 { return tensors.MustCopyFlatData[float32](t) }

func finite(values []float32) bool {
	for _, v := range values {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return false
		}
	}
	return true
}
