package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fakeEnv makes the test binary a side, and says what kind; orderEnv names the order's file.
const (
	fakeEnv  = "DUALPROCESS_BENCH_FAKE"
	orderEnv = "DUALPROCESS_BENCH_ORDER"
)

func TestMain(m *testing.M) {
	kind := os.Getenv(fakeEnv)
	if kind == "" {
		os.Exit(m.Run())
	}
	if kind == "deaf" { // to ^C
		signal.Ignore(os.Interrupt)
	}
	if kind == "ours" { // no fake: our side of the order
		_ = serveOrder(context.Background(), os.Getenv(orderEnv), os.Stdin, os.Stdout)
		os.Exit(0)
	}
	err := serve(context.Background(), os.Stdin, os.Stdout, func() (workload, string, error) {
		if kind == "closed" {
			return nil, "", errors.New("no such\ncheckpoint")
		}
		return &fake{kind: kind}, "a fake", nil
	})
	if err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// fake is a workload without any work.
type fake struct {
	kind string
	runs int
}

func (f *fake) run(context.Context) (loss, norm float64, err error) {
	f.runs++
	switch {
	case f.kind == "nan":
		return math.NaN(), 1, nil
	case f.kind == "other":
		return 0.5, 2.1, nil
	case f.kind == "deaf", f.kind == "slow":
		time.Sleep(time.Minute)
	case f.kind == "dying" && f.runs == 3:
		_, _ = io.WriteString(os.Stderr, "the last words\n")
		os.Exit(3)
	}
	return 0.5, 2, nil
}

// tell says that what is made is a little apart from others, or much.
func (f *fake) tell(r *reply) {
	r.Steps = make([]int, f.runs)
	if r.Apart = 1e-3; f.kind == "far" {
		r.Apart = 0.3
	}
}

func (f *fake) change(what string) error {
	if f.kind == "rigid" {
		return fmt.Errorf("the %s cannot be changed", what)
	}
	return nil
}

func (f *fake) peak() int64  { return 1e9 }
func (f *fake) close() error { return nil }

// begun starts a side that is a fake.
func begun(t *testing.T, ctx context.Context, kind string, limit time.Duration) (*peer, error) {
	t.Helper()
	own, err := os.Executable()
	require.NoError(t, err)
	p, err := start(ctx, []string{own}, []string{fakeEnv + "=" + kind}, limit)
	if err == nil {
		t.Cleanup(p.end)
	}
	return p, err
}

func TestPeer(t *testing.T) {
	p, err := begun(t, t.Context(), "good", time.Minute)
	require.NoError(t, err)
	assert.Equal(t, "a fake", p.what)
	for _, runs := range []int{1, 3} {
		r, err := p.ask(t.Context(), runs, time.Minute)
		require.NoError(t, err)
		assert.Len(t, r.Seconds, runs)
		assert.Equal(t, 0.5, r.Losses[runs-1])
		assert.Equal(t, 2., r.Norms[runs-1])
		assert.EqualValues(t, 1e9, r.Peak)
	}
}

func TestPeerFails(t *testing.T) {
	_, err := begun(t, t.Context(), "closed", time.Minute)
	assert.ErrorContains(t, err, "no such checkpoint")

	p, err := begun(t, t.Context(), "nan", time.Minute)
	require.NoError(t, err)
	_, err = p.ask(t.Context(), 1, time.Minute)
	assert.ErrorContains(t, err, "not finite: NaN")

	p, err = begun(t, t.Context(), "dying", time.Minute)
	require.NoError(t, err)
	_, err = p.ask(t.Context(), 3, time.Minute)
	assert.ErrorContains(t, err, "the last words")
	_, err = start(t.Context(), []string{"/no/such/program"}, nil, time.Minute)
	assert.Error(t, err)
}

// TestPeerEnds: neither a limit nor the end of the context waits for a side.
func TestPeerEnds(t *testing.T) {
	p, err := begun(t, t.Context(), "slow", time.Minute)
	require.NoError(t, err)
	_, err = p.ask(t.Context(), 1, 10*time.Millisecond)
	assert.ErrorIs(t, err, errLate)

	ctx, cancel := context.WithCancel(t.Context())
	p, err = begun(t, ctx, "deaf", time.Minute)
	require.NoError(t, err)
	time.AfterFunc(50*time.Millisecond, cancel)
	began := time.Now()
	_, err = p.ask(ctx, 1, time.Minute)
	assert.ErrorIs(t, err, context.Canceled)
	p.end()
	assert.Less(t, time.Since(began), 20*time.Second)
}

func TestServeRefuses(t *testing.T) {
	var out bytes.Buffer
	err := serve(t.Context(), strings.NewReader("{\"runs\": 1}\nrun!\n"), &out, func() (workload, string, error) { return &fake{}, "a fake", nil })
	assert.ErrorContains(t, err, "run!")
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 3)
	assert.Contains(t, lines[0], `"ready":"a fake"`)
	assert.Contains(t, lines[1], `"losses":[0.5]`)
	assert.Contains(t, lines[2], `"error"`)
	assert.Error(t, serveOrder(t.Context(), t.TempDir()+"/none", strings.NewReader(""), io.Discard))
}

func TestReplyCheck(t *testing.T) {
	one := []float64{1}
	for want, r := range map[string]reply{
		"":              {Seconds: one, Losses: one, Norms: one},
		"of 1 runs":     {Seconds: one, Losses: one},
		"out of memory": {Error: "out of memory"},
	} {
		err := r.check(1)
		if want == "" {
			assert.NoError(t, err)
			continue
		}
		assert.ErrorContains(t, err, want)
	}
	assert.NoError(t, reply{Ready: "x"}.check(0))
	assert.ErrorContains(t, reply{}.check(0), "ready")
}

func TestTail(t *testing.T) {
	var log tail
	for range 1000 {
		_, _ = log.Write([]byte("0123456789\n"))
	}
	_, _ = log.Write([]byte("the end\n"))
	assert.Len(t, log.text, tailLength)
	assert.True(t, strings.HasSuffix(log.String(), "the end"))
}
