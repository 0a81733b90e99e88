package main

import (
	"context"
	"encoding/json"
	"flag"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

const root = "../.."

// TestPlans: every model has a plan and a program, whose checkpoint opens.
func TestPlans(t *testing.T) {
	subjects, err := find(os.DirFS(root), "")
	require.NoError(t, err)
	require.Len(t, subjects, len(models()))
	for _, s := range subjects {
		program, err := os.ReadFile(filepath.Join(root, s.Kind, s.Name, "bench.py"))
		require.NoError(t, err)
		assert.Equal(t, s.Kind == generators, strings.Contains(string(program), "\nclass Sampler("), s.Name)
		assert.Equal(t, s.Kind == generators, s.Sampler.Steps > 0, s.Name)
		_, err = s.checkpoint(t.Context(), safetensors.F32)
		assert.NoError(t, err, s.Name)
	}
	programs, err := fs.Glob(os.DirFS(root), "*/*/bench.py")
	require.NoError(t, err)
	assert.Len(t, programs, len(models()), "a model with a program is in the list")
}

func TestFind(t *testing.T) {
	subjects, err := find(os.DirFS(root), "llava,flux")
	require.NoError(t, err)
	require.Len(t, subjects, 2)
	assert.Equal(t, "FLUX", subjects[0].Title)
	_, err = find(os.DirFS(root), "flux,fluxx")
	assert.ErrorContains(t, err, `there is no "fluxx"`)
	_, err = find(os.DirFS(t.TempDir()), "")
	assert.ErrorContains(t, err, "-root")
	broken := fstest.MapFS{"generator/flux/bench.json": {Data: []byte("{")}}
	_, err = find(broken, "flux")
	assert.ErrorContains(t, err, "generator/flux/bench.json")
}

func TestParse(t *testing.T) {
	p, err := parse([]byte(`{"title": "A", "fixture": "f", "side": 64, "changes": {"a.json": {"b": {"c": 512}, "d": [1]}}}`))
	require.NoError(t, err)
	into := map[string]any{}
	flatten(into, "a.json ", p.Changes["a.json"])
	assert.Equal(t, map[string]any{"a.json b.c": json.Number("512"), "a.json d": []any{json.Number("1")}}, into)
	for text, want := range map[string]string{
		`{"title": "A", "fixture": "f", "sides": 64}`:    "sides",
		`{"title": "A", "fixture": "f"}`:                 "side",
		`{"title": "A", "fixture": "f", "side": 64} {}`:  "behind",
		`{"title": "A", "fixture": "f", "side": "many"}`: "side",
	} {
		_, err := parse([]byte(text))
		assert.ErrorContains(t, err, want)
	}
}

func TestSettings(t *testing.T) {
	parsed := func(args ...string) error {
		var s settings
		set := flag.NewFlagSet("bench", flag.ContinueOnError)
		set.SetOutput(io.Discard)
		s.register(set)
		require.NoError(t, set.Parse(args))
		return s.check()
	}
	assert.NoError(t, parsed())
	for _, bad := range []string{"-rounds=0", "-runs=0", "-threads=0", "-threads=1000000", "-limit=0s", "-dtype=float64", "-published=x", "-side=-1"} {
		assert.ErrorContains(t, parsed(bad), bad[:4])
	}
	assert.NoError(t, parsed("-pair", "-published=x,y"))
	assert.ErrorContains(t, parsed("-pair", "-updates=0"), "-updates")
	assert.ErrorContains(t, parsed("-pair", "-dtype=bfloat16"), "float32")
	assert.ErrorContains(t, settings{}.run(t.Context(), nil), "-rounds")
}

// TestPython: nothing is installed where that is forbidden, and a Python that is named is taken as it is.
func TestPython(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("DUALPROCESS_NO_DOWNLOAD", "1")
	t.Setenv(pythonEnv, "")
	_, err := python(t.Context(), t.Logf)
	assert.ErrorContains(t, err, "-ours")
	t.Setenv(pythonEnv, "/some/python")
	named, err := python(t.Context(), t.Logf)
	require.NoError(t, err)
	assert.Equal(t, "/some/python", named)
	assert.Error(t, tell(t.Context(), "/no/such/program"))
}

// faked is a bench whose sides are fakes of some kinds.
func faked(t *testing.T, kinds ...string) *bench {
	own, err := os.Executable()
	require.NoError(t, err)
	b := &bench{
		numbers: gradients, settings: settings{Rounds: 2, Runs: 3, DType: "float32", Limit: time.Minute, root: root},
		work: t.TempDir(), say: func(string, ...any) {},
	}
	for k, kind := range kinds {
		b.launch = append(b.launch, launcher{
			[]string{ours, eager, compiled}[k], func(string) []string { return []string{own} },
			func(order string) []string { return []string{fakeEnv + "=" + kind, orderEnv + "=" + order} },
		})
	}
	return b
}

// tiny is a model in the size of its fixture.
func tiny(t *testing.T, name string, side int) subject {
	subjects, err := find(os.DirFS(root), name)
	require.NoError(t, err)
	s := subjects[0]
	s.Changes, s.Side = nil, side
	return s
}

func TestMeasure(t *testing.T) {
	s := tiny(t, "flux", 32)
	m := faked(t, "good", "good", "closed").measure(t.Context(), s)
	m.finish()
	require.True(t, m.counts(), m.complaints())
	require.Len(t, m.Sides[0].Seconds, 2)
	require.Len(t, m.Sides[1].Seconds[1], 3)
	assert.Contains(t, m.Sides[2].Fault, "no such checkpoint")
	assert.NotZero(t, m.Ratio)

	m = faked(t, "good", "other", "good").measure(t.Context(), s)
	assert.False(t, m.counts())
	assert.Contains(t, m.Sides[1].Fault, "norm of the gradient is 2.1")

	m = faked(t, "closed", "good").measure(t.Context(), s)
	assert.False(t, m.counts())
	assert.Len(t, m.Sides, 1)

	m = faked(t, "good", "dying").measure(t.Context(), s)
	assert.Contains(t, m.Sides[1].Fault, "round 1")
	assert.True(t, m.counts(), "ours counts without the other")

	s.Fixture, s.fixture = "none", os.DirFS(t.TempDir())
	assert.NotEmpty(t, faked(t, "good").measure(t.Context(), s).Error)
}

func TestMeasureIsStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	b := faked(t, "slow")
	time.AfterFunc(time.Second, cancel)
	began := time.Now()
	assert.ErrorContains(t, b.all(ctx, []subject{tiny(t, "flux", 32)}), "stopped")
	assert.Less(t, time.Since(began), 30*time.Second)
}

// TestOurs makes runs of a tiny generator and a tiny verifier on the pure Go backend, and reads what they hand over.
func TestOurs(t *testing.T) {
	for _, c := range []struct {
		name string
		side int
		want []string
	}{{"flux", 32, []string{"latents", "target", "condition1"}}, {"llava", 56, []string{"picture", "ids0"}}} {
		t.Run(c.name, func(t *testing.T) {
			b, s := faked(t), tiny(t, c.name, c.side)
			b.Backend = "go"
			file, err := b.prepare(t.Context(), s, scale{})
			require.NoError(t, err)
			ask, requests := io.Pipe()
			answers, answer := io.Pipe()
			ended := make(chan error, 1)
			go func() { ended <- serveOrder(t.Context(), file, ask, answer) }()
			d := json.NewDecoder(answers)
			var ready, first reply
			require.NoError(t, d.Decode(&ready))
			require.Contains(t, ready.Ready, "go in Float32", ready.Error)
			_, err = requests.Write([]byte("{\"runs\": 2}\n"))
			require.NoError(t, err)
			require.NoError(t, d.Decode(&first))
			require.NoError(t, first.check(2))
			assert.Positive(t, first.Norms[0])
			assert.InDelta(t, first.Losses[0], first.Losses[1], 1e-2*first.Losses[0])
			assert.Equal(t, s.Kind == generators, first.Losses[0] != first.Losses[1], "an update changes the adapter")
			require.NoError(t, requests.Close())
			require.NoError(t, <-ended)

			handed, err := safetensors.OpenFile(filepath.Join(filepath.Dir(file), "inputs.safetensors"))
			require.NoError(t, err)
			defer func() { require.NoError(t, handed.Close()) }()
			for _, name := range c.want {
				_, ok := handed.Info(name)
				assert.True(t, ok, name)
			}
		})
	}
}
