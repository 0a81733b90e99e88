package optim

import (
	"math"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	_ "github.com/gomlx/compute/gobackend"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// run executes a graph function on the pure Go backend, which every machine has.
func run(t *testing.T, fn func(in []*Node) []*Node, in ...any) []*tensors.Tensor {
	t.Helper()
	backend, err := compute.NewWithConfig("go:ops_sequential")
	require.NoError(t, err)
	defer backend.Finalize()
	exec, err := NewExec(backend, fn)
	require.NoError(t, err)
	out, err := exec.Call(in...)
	require.NoError(t, err)
	for _, x := range out { // the values outlive the backend
		x.MaterializeLocal()
	}
	return out
}

// adamw is an independent scalar version, in float64, of the same equations.
func adamw(p, lr, decay, beta1, beta2, epsilon float64, grads ...float64) float64 {
	var m, v float64
	for k, g := range grads {
		step := float64(k + 1)
		p -= lr * decay * p
		m = beta1*m + (1-beta1)*g
		v = beta2*v + (1-beta2)*g*g
		p -= lr * (m / (1 - math.Pow(beta1, step))) / (math.Sqrt(v/(1-math.Pow(beta2, step))) + epsilon)
	}
	return p
}

func TestUpdateByHand(t *testing.T) {
	// Two updates of lr 0.1 with the gradients 2 and then -1, from p = 1:
	//   m = .2, v = .004; corrected 2 and 4; p = 1 - .1·2/2              = .9
	//   m = .08, v = .004996; corrected .08/.19 = .4210526 and
	//   .004996/.001999 = 2.4992496; p = .9 - .1·.4210526/1.5809015      = .8733663
	out := run(t, func(in []*Node) []*Node {
		p, m, v := in[:1], []*Node{ZerosLike(in[0])}, []*Node{ZerosLike(in[0])}
		p, m, v = AdamW{}.Update(p, in[1:2], m, v, in[3], in[5])
		first := p[0]
		p, m, v = AdamW{}.Update(p, in[2:3], m, v, in[4], in[5])
		return []*Node{first, p[0], m[0], v[0]}
	}, []float32{1}, []float32{2}, []float32{-1}, int32(1), int32(2), float32(.1))
	assert.InDelta(t, .9, tensors.MustCopyFlatData[float32](out[0])[0], 1e-6)
	assert.InDelta(t, .8733663, tensors.MustCopyFlatData[float32](out[1])[0], 1e-6)
	assert.InDelta(t, .08, tensors.MustCopyFlatData[float32](out[2])[0], 1e-7)
	assert.InDelta(t, .004996, tensors.MustCopyFlatData[float32](out[3])[0], 1e-8)
}

func TestUpdateAgreesWithScalarVersion(t *testing.T) {
	for name, o := range map[string]AdamW{
		"torch":          {},
		"study":          {Beta2: .99},
		"decay":          {WeightDecay: .1},
		"all configured": {Beta1: .8, Beta2: .95, Epsilon: 1e-3, WeightDecay: .01},
	} {
		t.Run(name, func(t *testing.T) {
			grads := []float64{3, -1, 1e-4, .5, -7}
			out := run(t, func(in []*Node) []*Node {
				p, m, v := in[:1], []*Node{ZerosLike(in[0])}, []*Node{ZerosLike(in[0])}
				for k, g := range grads {
					step := Scalar(in[0].Graph(), dtypes.Int32, k+1)
					p, m, v = o.Update(p, []*Node{MulScalar(OnesLike(in[0]), g)}, m, v, step, in[1])
				}
				return p
			}, []float32{-.7}, float32(.02))
			full := o.withDefaults()
			want := adamw(-.7, .02, full.WeightDecay, full.Beta1, full.Beta2, full.Epsilon, grads...)
			assert.InDelta(t, want, tensors.MustCopyFlatData[float32](out[0])[0], 1e-6)
		})
	}
}

func TestFirstUpdateIsTheSign(t *testing.T) {
	// At the first update m/√v is the gradient's sign whatever its size, down to
	// where epsilon matters: torch's 1e-8 and not 1e-7.
	out := run(t, func(in []*Node) []*Node {
		zero := []*Node{ZerosLike(in[0])}
		p, _, _ := AdamW{}.Update(in[:1], in[1:2], zero, zero, in[2], in[3])
		return p
	}, []float32{0, 0, 0, 0}, []float32{5, -1e-3, 1e-8, 0}, float32(1), float32(1e-2))
	assert.InDeltaSlice(t, []float32{-1e-2, 1e-2, -.5e-2, 0}, tensors.MustCopyFlatData[float32](out[0]), 2e-7)
}

func TestClipGlobalNorm(t *testing.T) {
	for name, c := range map[string]struct {
		limit    float64
		wantA    []float32
		wantNorm float64
	}{
		"longer than the limit": {1, []float32{3. / 13, 4. / 13}, 13},
		"shorter":               {20, []float32{3, 4}, 13},
		"no limit":              {0, []float32{3, 4}, 13},
	} {
		t.Run(name, func(t *testing.T) {
			out := run(t, func(in []*Node) []*Node {
				clipped, norm := ClipGlobalNorm(in, c.limit)
				return append(clipped, norm)
			}, []float32{3, 4}, [][]float32{{12}})
			assert.InDeltaSlice(t, c.wantA, tensors.MustCopyFlatData[float32](out[0]), 1e-6)
			assert.InDelta(t, c.wantNorm, tensors.ToScalar[float32](out[2]), 1e-5)
		})
	}
}

func TestNormTellsNonFinite(t *testing.T) {
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
		out := run(t, func(in []*Node) []*Node {
			clipped, norm := ClipGlobalNorm(in, 1)
			return append(clipped, norm)
		}, []float32{1, bad}, []float32{2})
		norm := float64(tensors.ToScalar[float32](out[2]))
		assert.True(t, math.IsNaN(norm) || math.IsInf(norm, 0), "norm %g", norm)
	}
}

func TestMisuse(t *testing.T) {
	backend, err := compute.NewWithConfig("go:ops_sequential")
	require.NoError(t, err)
	defer backend.Finalize()
	exec, err := NewExec(backend, func(in []*Node) []*Node {
		p, _, _ := AdamW{}.Update(in[:1], in[1:2], in[:1], in[:1], in[2], in[2])
		return p
	})
	require.NoError(t, err)
	_, err = exec.Call([]float32{1}, []float32{1, 2}, float32(1))
	assert.ErrorContains(t, err, "optim: parameter")
}
