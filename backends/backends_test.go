package backends

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/gobackend"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/stretchr/testify/require"
)

// bare gives the test an empty home, and no settings of this machine.
func bare(t *testing.T) (home string) {
	t.Helper()
	home = t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("PIP_CONFIG_FILE", os.DevNull)
	for _, name := range []string{
		"XDG_DATA_HOME", pluginPathEnv, compute.ConfigEnvVar, NoDownloadEnv, "LD_LIBRARY_PATH",
		"PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "PIP_CERT",
	} {
		t.Setenv(name, "")
	}
	return home
}

func TestOpenGo(t *testing.T) {
	for _, spec := range []string{"go", "go:", "go:ops_sequential", "go:creation_order"} {
		r, err := Open(t.Context(), Options{Backend: spec})
		require.NoError(t, err, spec)
		require.Equal(t, "go", r.Name)
		require.Equal(t, dtypes.Float32, r.DType)
		require.Contains(t, r.Reason, "go: taken, asked for by the caller")
		require.Contains(t, r.String(), "go in Float32")
		out, err := ExecOnce(r.Backend, func(x *Node) *Node { return Add(x, x) }, []float32{1, 2})
		require.NoError(t, err)
		require.Equal(t, []float32{2, 4}, out.Value())
		require.NoError(t, r.Close())
		require.NoError(t, r.Close(), "a second time")
		require.Equal(t, "go (closed)", r.String())
	}
	require.NoError(t, (*Runtime)(nil).Close())
}

func TestOpenByEnvironment(t *testing.T) {
	t.Setenv(compute.ConfigEnvVar, "go")
	r, err := Open(t.Context(), Options{})
	require.NoError(t, err)
	require.Contains(t, r.Reason, "named by GOMLX_BACKEND")
	require.NoError(t, r.Close())
}

// TestOpenWithoutPlugin: a machine without a plugin that may not download gets pure Go and is told why.
func TestOpenWithoutPlugin(t *testing.T) {
	if len(findPlugins(pluginFolders(), "cuda", "")) > 0 {
		t.Skip("an NVIDIA plugin is installed for the system") // the home is not what decides then
	}
	bare(t)
	if len(findPlugins(pluginFolders(), "cpu", "")) > 0 {
		t.Skip("a plugin is installed for the whole system")
	}
	t.Setenv(NoDownloadEnv, "1")
	var log strings.Builder
	r, err := Open(t.Context(), Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, err)
	require.Equal(t, "go", r.Name)
	lines := strings.Split(r.Reason, "\n")
	require.Len(t, lines, 3)
	require.Contains(t, lines[0], "go: taken, the fastest that works here")
	require.Contains(t, lines[1], "xla:cuda: not taken, ")
	require.Contains(t, lines[2], "xla:cpu: not taken, ")
	require.Contains(t, log.String(), "backend not taken")
	require.NoError(t, r.Close())

	_, err = Open(t.Context(), Options{Backend: "xla:cpu"})
	require.ErrorIs(t, err, ErrUnavailable, "what was asked for is not replaced by something else")
}

func TestOpenRefuses(t *testing.T) {
	for name, o := range map[string]Options{
		"parallel":     {Backend: "go:parallelism=2,ops_parallel"},
		"unknown":      {Backend: "tensorflow"},
		"share":        {Preallocate: 1.5},
		"not a number": {Preallocate: math.NaN()},
	} {
		_, err := Open(t.Context(), o)
		require.ErrorIs(t, err, ErrOptions, name)
	}
	_, err := Open(t.Context(), Options{Backend: "go:no_such_option"})
	require.ErrorIs(t, err, ErrUnavailable)
	_, err = Open(t.Context(), Options{Backend: "xla:no_such_plugin"})
	require.ErrorIs(t, err, ErrUnavailable)
	_, err = Open(t.Context(), Options{Backend: "xla:" + filepath.Join(t.TempDir(), "pjrt_c_api_cpu_plugin.so")})
	require.ErrorIs(t, err, ErrUnavailable)

	var none context.Context
	_, err = Open(none, Options{Backend: "go"})
	require.ErrorIs(t, err, ErrOptions)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Open(ctx, Options{})
	require.ErrorIs(t, err, context.Canceled)
}

// TestOpenOther: a program may register a backend of its own; that it panics is no reason to crash.
func TestOpenOther(t *testing.T) {
	compute.Register("dualprocess-test", func(config string) (compute.Backend, error) {
		if config == "panic" {
			panic(errors.New("bad configuration"))
		}
		return gobackend.New("ops_sequential")
	})
	r, err := Open(t.Context(), Options{Backend: "dualprocess-test"})
	require.NoError(t, err)
	require.Equal(t, "dualprocess-test", r.Name)
	require.NoError(t, r.Close())
	_, err = Open(t.Context(), Options{Backend: "dualprocess-test:panic"})
	require.ErrorContains(t, err, "bad configuration")
}

// TestSeed: the store draws the same numbers from the same seed, and others from another.
func TestSeed(t *testing.T) {
	draw := func(seed int64) any {
		r, err := Open(t.Context(), Options{Backend: "go", Seed: seed})
		require.NoError(t, err)
		exec, err := model.NewExec(r.Backend, r.Store, func(scope *model.Scope, in []*Node) []*Node {
			return []*Node{scope.Store().RandomNormal(in[0].Graph(), in[0].Shape())}
		})
		require.NoError(t, err)
		out, err := exec.Call([]float32{0, 0, 0})
		require.NoError(t, err)
		value := out[0].Value()
		exec.Finalize()
		require.NoError(t, r.Close())
		return value
	}
	require.Equal(t, draw(7), draw(7))
	require.NotEqual(t, draw(7), draw(8))
}

func TestPrecision(t *testing.T) {
	require.Equal(t, dtypes.BFloat16, precision("xla:cuda"))
	require.Equal(t, dtypes.Float32, precision("xla:cpu"))
	require.Equal(t, dtypes.Float32, precision("go"))
}

func TestDownloadsForbidden(t *testing.T) {
	for value, want := range map[string]bool{"": false, "0": false, "false": false, "1": true, "yes": true, "true": true} {
		t.Setenv(NoDownloadEnv, value)
		require.Equal(t, want || os.Getenv("GOMLX_NO_AUTO_INSTALL") != "", downloadsForbidden(), "%q", value)
	}
	t.Setenv(NoDownloadEnv, "")
	t.Setenv("GOMLX_NO_AUTO_INSTALL", "")
	require.True(t, downloadsForbidden(), "go-xla looks only whether it is set")
}

func TestTry(t *testing.T) {
	require.NoError(t, Try(func() {}))
	cause := errors.New("cause")
	require.ErrorIs(t, Try(func() { panic(cause) }), cause)
	require.ErrorContains(t, Try(func() { panic("text") }), "text")
	require.ErrorContains(t, Try(func() { exceptions.Panicf("shape %d", 3) }), "shape 3")
	require.ErrorContains(t, Try(func() { _ = []int{}[len(os.Args)] }), "index out of range")
}

func TestParse(t *testing.T) {
	for spec, want := range map[string][]choice{
		"xla":                              {{"xla", "cuda", ""}, {"xla", "cpu", ""}},
		"xla:cpu":                          {{"xla", "cpu", ""}},
		"hlo:cuda,tf32=false":              {{"xla", "cuda", "tf32=false"}},
		" xla:/lib/pjrt_c_api_x_plugin.so": {{"xla", "/lib/pjrt_c_api_x_plugin.so", ""}},
	} {
		got, err := parse(spec)
		require.NoError(t, err)
		require.Equal(t, want, got, spec)
	}
	require.Equal(t, "xla:x", choice{"xla", "/lib/pjrt_c_api_x_plugin.so", ""}.name())
	require.Equal(t, "xla:cpu", choice{"xla", "cpu_v0.98.0", ""}.name())
}

func FuzzParse(f *testing.F) {
	f.Add("xla:cpu,tf32=false")
	f.Add("go:ops_parallel,,=")
	f.Add(":")
	f.Fuzz(func(t *testing.T, spec string) {
		choices, err := parse(spec)
		require.Equal(t, err == nil, len(choices) > 0)
		for _, c := range choices {
			require.NotEmpty(t, c.name())
		}
	})
}
