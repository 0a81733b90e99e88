package golden

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/nn"
)

// Fastest opens the fastest backend that is there without a download, or the one that
// GOMLX_BACKEND names.
func Fastest(t testing.TB) *backends.Runtime {
	t.Helper()
	return open(t, backends.Options{NoDownload: true})
}

// Plain opens the pure Go backend, which runs a tiny model once sooner than XLA
// compiles it.
func Plain(t testing.TB) *backends.Runtime {
	t.Helper()
	return open(t, backends.Options{Backend: "go"})
}

// Runtime is Plain, unless GOMLX_BACKEND names another backend.
func Runtime(t testing.TB) *backends.Runtime {
	t.Helper()
	if chosen() {
		return Fastest(t)
	}
	return Plain(t)
}

// chosen says that the tests are to run on one backend.
func chosen() bool { return os.Getenv("GOMLX_BACKEND") != "" }

func open(t testing.TB, o backends.Options) *backends.Runtime {
	t.Helper()
	rt, err := backends.Open(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, rt.Close()) })
	return rt
}

// Part says what is compared on a backend.
type Part int

// The parts.
const (
	Everything Part = iota // there is but one backend
	Most                   // pure Go, before Essence: what takes many steps may be left to that
	Essence                // on the fastest backend, which compiles for long
)

// Backends runs a test of most on the pure Go backend, and then one of the essence on
// the fastest that is there. Where that is pure Go, or GOMLX_BACKEND names a backend,
// everything is tested on that one.
func Backends(t *testing.T, test func(t *testing.T, rt *backends.Runtime, part Part)) {
	fastest := Fastest(t)
	if chosen() || fastest.Name == "go" {
		test(t, fastest, Everything)
		return
	}
	test(t, Plain(t), Most)
	if !t.Failed() {
		t.Run("fastest", func(t *testing.T) { test(t, fastest, Essence) })
	}
}

// Outputs are nodes by name, which a graph function computes for a test.
type Outputs map[string]*graph.Node

// Results are float32 tensors by name.
type Results map[string]*tensors.Tensor

// Run executes a graph function once and returns its outputs as float32.
func Run(t testing.TB, rt *backends.Runtime, build func(in []*graph.Node) Outputs, inputs ...any) Results {
	t.Helper()
	var names []string
	exec, err := graphs.NewExecutor(rt, func(in []*graph.Node) []*graph.Node {
		outputs := build(in)
		names = slices.Sorted(maps.Keys(outputs))
		nodes := make([]*graph.Node, len(names))
		for k, name := range names {
			nodes[k] = graph.ConvertDType(outputs[name], dtypes.Float32)
		}
		return nodes
	})
	require.NoError(t, err)
	defer exec.Finalize()
	out, err := exec.Call(inputs...)
	require.NoError(t, err)
	results := Results{}
	for k, name := range names {
		results[name] = out[k]
	}
	return results
}

// Recorded returns the recorded outputs of the modules that the fixture has, for
// Modules: of each key that begins with prefix, what follows it is the module's
// name inside the network, which itself is called network in the checkpoint, or ""
// at its root.
func (f *Fixture) Recorded(prefix string, r *nn.Recorder, network string) Outputs {
	out := Outputs{}
	for _, key := range f.Keys() {
		name, ok := strings.CutPrefix(key, prefix)
		if !ok {
			continue
		}
		if x := r.Output(strings.TrimPrefix(network+"."+name, ".")); x != nil {
			out[name] = x
		}
	}
	return out
}

// Floats returns the elements of one result, row-major.
func (r Results) Floats(t testing.TB, name string) []float32 {
	t.Helper()
	require.Contains(t, r, name, "nobody computes this")
	return tensors.MustCopyFlatData[float32](r[name])
}

// Modules compares every key of the fixture that begins with prefix with the
// result of the name that follows it, in a subtest each. There must be a result for
// each key, and at least one key. transform, which may be nil, brings a result into the fixture's
// layout.
func (f *Fixture) Modules(t *testing.T, prefix string, got Results, tolerance float64, transform func(*tensors.Tensor) []float32) {
	found := false
	for _, key := range f.Keys() {
		name, ok := strings.CutPrefix(key, prefix)
		if !ok {
			continue
		}
		found = true
		t.Run(key, func(t *testing.T) {
			values := got.Floats(t, name)
			if transform != nil {
				values = transform(got[name])
			}
			f.Compare(t, key, values, tolerance)
		})
	}
	require.True(t, found, "%s has no keys %s*", f.Folder, prefix)
}

// Tensor returns a tensor of the fixture.
func (f *Fixture) Tensor(t testing.TB, key string) *tensors.Tensor {
	t.Helper()
	values, shape := f.Floats(t, key)
	return tensors.FromFlatDataAndDimensions(values, shape...)
}

// Ints returns a tensor of whole numbers as int32, in any integer or float type.
func (f *Fixture) Ints(t testing.TB, key string) []int32 {
	t.Helper()
	f.read[key] = true
	values, err := f.tensors.Tensor(key)
	require.NoError(t, err)
	switch values.DType() {
	case dtypes.Int64:
		return toInt32(tensors.MustCopyFlatData[int64](values))
	case dtypes.Uint8:
		return toInt32(tensors.MustCopyFlatData[uint8](values))
	case dtypes.Int32:
		return tensors.MustCopyFlatData[int32](values)
	}
	floats, _ := f.Floats(t, key)
	return toInt32(floats)
}

func toInt32[T int64 | uint8 | float32](values []T) []int32 {
	out := make([]int32, len(values))
	for i, v := range values {
		out[i] = int32(v)
	}
	return out
}
