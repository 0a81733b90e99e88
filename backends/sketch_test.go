package backends

import (
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/stretchr/testify/require"
)

func TestSketch(t *testing.T) {
	for asked, want := range map[string]struct {
		name, graphs string // Runtime.Name, and what graph functions see
		dtype        dtypes.DType
	}{
		"xla:cuda":         {"xla:cuda", "xla", dtypes.BFloat16},
		"xla:cpu":          {"xla:cpu", "xla", dtypes.Float32},
		"xla:cuda_v0.98.0": {"xla:cuda", "xla", dtypes.BFloat16},
		"go":               {"go", "Go Backend", dtypes.Float32},
	} {
		rt, err := Sketch(t.Context(), Options{Backend: asked, Memory: 24 << 30})
		require.NoError(t, err)
		require.True(t, rt.Sketched())
		require.Equal(t, want.name, rt.Name)
		require.Equal(t, want.graphs, rt.Backend.Name())
		require.Equal(t, want.dtype, rt.DType)
		require.Equal(t, int64(24<<30), rt.Memory())
		require.Contains(t, rt.String(), "sketch of "+want.name)
		require.NoError(t, rt.Close())
	}
}

// TestSketchedAttention: what XLA has on a card in one kernel counts as that, with a gradient, unless it is not wanted.
func TestSketchedAttention(t *testing.T) {
	build := func(o Options) (types []NodeType) {
		rt, err := Sketch(t.Context(), o)
		require.NoError(t, err)
		defer rt.Close()
		if !rt.Backend.Capabilities().Operations[compute.OpTypeFusedScaledDotProductAttentionVJP] {
			return nil
		}
		x := Parameter(NewGraph(rt.Backend, "test"), "x", shapes.Make(dtypes.BFloat16, 2, 512, 4, 64))
		y, states := BackendFusedScaledDotProductAttention(x, Sin(x), x, compute.AttentionAxesLayoutBSHD, &compute.ScaledDotProductAttentionConfig{Scale: 1})
		require.Equal(t, shapes.Make(dtypes.Float32, 2, 4, 512), states[0].Shape())
		dx := Gradient(ReduceAllSum(y), x)[0]
		require.Equal(t, x.Shape(), y.Shape())
		require.Equal(t, x.Shape(), dx.Shape())
		for _, node := range x.Graph().Nodes() {
			types = append(types, node.Type())
		}
		return types
	}
	require.Contains(t, build(Options{Backend: "xla:cuda"}), NodeTypeFusedScaledDotProductAttentionVJP)
	require.Empty(t, build(Options{Backend: "xla:cuda", PlainAttention: true}))
	require.Empty(t, build(Options{Backend: "xla:cpu"}))
}

// TestShare: whoever says how much of a card may be taken is believed, by the plan, too.
func TestShare(t *testing.T) {
	require.Equal(t, cardShare, choice{}.share(Options{}))
	require.Equal(t, 0.5, choice{}.share(Options{Preallocate: 0.5}))
	require.Equal(t, 0.25, choice{options: "preallocate=true,memory_fraction=.25"}.share(Options{Preallocate: 0.5}))
	require.Equal(t, cardShare, choice{options: "memory_fraction=much"}.share(Options{}))
}

// TestSketchComputesNothing: weights count though they have no values, and nothing is compiled.
func TestSketchComputesNothing(t *testing.T) {
	rt, err := Sketch(t.Context(), Options{Backend: "xla:cuda", Memory: 4 << 30})
	require.NoError(t, err)
	before := rt.Free()
	rt.Store.VariableWithShape("/generator/w", shapes.Make(dtypes.BFloat16, 1<<10, 1<<20), nil)
	require.Equal(t, int64(2<<30), before-rt.Free())
	_, err = ExecOnce(rt.Backend, func(x *Node) *Node { return Add(x, x) }, []float32{1})
	require.ErrorIs(t, err, ErrSketch)
	require.NoError(t, rt.Close())
	require.False(t, (*Runtime)(nil).Sketched())
}

// TestSuppose overrules the models' own decision, on a sketch alone.
func TestSuppose(t *testing.T) {
	rt, err := Sketch(t.Context(), Options{Backend: "xla:cpu", Memory: 8 << 30})
	require.NoError(t, err)
	defer rt.Close()
	require.False(t, rt.Checkpoints(CheckpointAuto, 1<<20))
	require.True(t, rt.Checkpoints(CheckpointAuto, 5<<30))
	rt.Suppose(CheckpointOn, false)
	require.True(t, rt.Checkpoints(CheckpointOff, 1))
	rt.Suppose(CheckpointOff, false)
	require.False(t, rt.Checkpoints(CheckpointOn, 1))
	rt.Suppose(CheckpointAuto, false)
	require.True(t, rt.Checkpoints(CheckpointOn, 1))

	plain, err := Open(t.Context(), Options{Backend: "go", Memory: 1})
	require.NoError(t, err)
	defer plain.Close()
	require.False(t, plain.Sketched())
	require.PanicsWithError(t, ErrSketch.Error(), func() { plain.Suppose(CheckpointOn, false) })
}

func TestSketchRefuses(t *testing.T) {
	for name, o := range map[string]Options{
		"unknown": {Backend: "tensorflow"},
		"memory":  {Backend: "go", Memory: -1},
		"device":  {Backend: "go", Device: -1},
	} {
		_, err := Sketch(t.Context(), o)
		require.ErrorIs(t, err, ErrOptions, name)
		_, err = Open(t.Context(), o)
		require.ErrorIs(t, err, ErrOptions, name)
	}
}

// TestSketchByEnvironment: what GOMLX_BACKEND names is planned for where nothing is asked.
func TestSketchByEnvironment(t *testing.T) {
	t.Setenv(compute.ConfigEnvVar, "go")
	rt, err := Sketch(t.Context(), Options{})
	require.NoError(t, err)
	require.Equal(t, "go", rt.Name)
	require.NoError(t, rt.Close())
}

// TestFits: an estimate that is a quarter too high does no harm, a GiB is always granted, and what is unknown fits.
func TestFits(t *testing.T) {
	const gib = 1 << 30
	rt, err := Open(t.Context(), Options{Backend: "go", Memory: 4 * gib})
	require.NoError(t, err)
	defer rt.Close()
	for _, test := range []struct {
		memory, bytes int64
		fits          bool
	}{{4 * gib, 5*gib - 1<<20, true}, {4 * gib, 5*gib + 1<<20, false}, {1, gib, true}, {1, 2 * gib, false}, {0, 1 << 50, true}} {
		rt.memory = test.memory
		require.Equal(t, test.fits, rt.Fits(test.bytes), "%+v", test)
	}
}
