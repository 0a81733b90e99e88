package dualprocessgo_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/generator"
	pocketgenerator "github.com/dualprocess/dualprocess-go/generator/pocket"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/verifier"
	pocketverifier "github.com/dualprocess/dualprocess-go/verifier/pocket"
)

// closable is a model of some kind, and how it is used.
type closable struct {
	name string
	open func(ctx context.Context, rt *backends.Runtime) (io.Closer, error)
}

var (
	picture  = image.NewNRGBA(image.Rect(0, 0, 64, 64))
	question = dualprocess.Question{Text: "Is there a tree in the picture?", Answer: "Yes"}
)

// use calls everything of a model that runs on the host and needs it.
func use(ctx context.Context, model any) error {
	switch m := model.(type) {
	case dualprocess.Generator:
		in, err := m.Encode(ctx, "a meadow by day")
		if err != nil {
			return err
		}
		noise, err := m.Latents(1)
		if err != nil {
			return err
		}
		for _, x := range append(in, noise) {
			err = errors.Join(err, x.FinalizeAll())
		}
		return err
	case verifier.LanguageModel:
		if _, err := m.Prepare(ctx, question, 64, 64); err != nil {
			return err
		}
		_, err := m.Score(ctx, picture, question)
		return err
	}
	return fmt.Errorf("what is a %T?", model)
}

// pocketModels are those that the library carries in itself.
func pocketModels() []closable {
	return []closable{
		{"pocket generator", func(ctx context.Context, rt *backends.Runtime) (io.Closer, error) {
			return pocketgenerator.Open(ctx, rt, pocketgenerator.Options{})
		}},
		{"pocket verifier", func(ctx context.Context, rt *backends.Runtime) (io.Closer, error) {
			return pocketverifier.Open(ctx, rt, pocketverifier.Options{})
		}},
	}
}

// folderModels are tiny ones of every class, by the fixtures of the tests.
func folderModels(t *testing.T) (all []closable) {
	first := golden.FirstOfClass(t)
	for _, f := range golden.Fixtures(t, golden.Generator) {
		if !first(f, "model") {
			continue
		}
		all = append(all, closable{f.Name, func(ctx context.Context, rt *backends.Runtime) (io.Closer, error) {
			return generator.Open(ctx, rt, f.Path("model"), generator.Options{Height: 64, Width: 64})
		}})
	}
	for _, f := range golden.Fixtures(t, golden.Verifier) {
		var about struct{ Model string }
		f.Decode(t, &about)
		if !first(f, about.Model) {
			continue
		}
		all = append(all, closable{f.Name, func(ctx context.Context, rt *backends.Runtime) (io.Closer, error) {
			return verifier.Open(ctx, rt, f.Path(about.Model), verifier.Options{})
		}})
	}
	return all
}

// eachRuntime runs a test on pure Go, and on XLA on the CPU where it is installed.
func eachRuntime(t *testing.T, test func(t *testing.T, rt *backends.Runtime)) {
	for _, name := range []string{"go", "xla:cpu"} {
		t.Run(name, func(t *testing.T) {
			rt, err := backends.Open(t.Context(), backends.Options{Backend: name, NoDownload: true})
			if errors.Is(err, backends.ErrUnavailable) && name != "go" {
				t.Skip(err)
			}
			require.NoError(t, err)
			defer func() { require.NoError(t, rt.Close()) }()
			test(t, rt)
		})
	}
}

// TestModelsComeAndGo opens, uses and closes each kind of model again and again in one
// runtime: no variable, goroutine or memory stays. XLA compiles for seconds each time,
// so that its short form is three times, too few to look at memory;
// DUALPROCESS_OPENINGS=50 is the long one.
func TestModelsComeAndGo(t *testing.T) {
	eachRuntime(t, func(t *testing.T, rt *backends.Runtime) {
		times := 50
		if rt.Name != "go" { // which compiles in an instant
			times = 3
		}
		if os.Getenv("DUALPROCESS_OPENINGS") != "" {
			var err error
			times, err = strconv.Atoi(os.Getenv("DUALPROCESS_OPENINGS"))
			require.NoError(t, err)
		}
		for _, m := range pocketModels() {
			t.Run(m.name, func(t *testing.T) { comeAndGo(t, rt, m, times) })
		}
		if testing.Short() || rt.Name != "go" {
			return // the folders' frames are the same on all backends
		}
		for _, m := range folderModels(t) {
			t.Run(m.name, func(t *testing.T) { comeAndGo(t, rt, m, 2) })
		}
	})
}

func comeAndGo(t *testing.T, rt *backends.Runtime, m closable, times int) {
	settled := min(times/2, 10) // times after which nothing may grow
	variables, goroutines, memory := rt.Store.NumVariables(), 0, 0.
	for n := range times {
		model, err := m.open(t.Context(), rt)
		require.NoError(t, err)
		require.Greater(t, rt.Store.NumVariables(), variables)
		require.NoError(t, use(t.Context(), model))
		require.NoError(t, model.Close())
		require.Equal(t, variables, rt.Store.NumVariables())
		require.NoError(t, model.Close(), "a second time")
		require.ErrorIs(t, use(t.Context(), model), backends.ErrClosed)
		if n == settled-1 {
			goroutines, memory = runtime.NumGoroutine(), resident()
		}
	}
	if settled > 1 {
		require.Less(t, runtime.NumGoroutine(), goroutines+times-settled, "goroutines")
		const slack = 8 << 20 // of a process of some 40 MB; what stays of every model would be ten times that
		require.LessOrEqual(t, resident(), 1.1*memory+slack, "bytes of memory after %d times, %g after %d", times, memory, settled)
	}
}

// resident is the process's memory in bytes; 0 where the system does not tell.
func resident() float64 {
	debug.FreeOSMemory() // Go's own memory is not the question
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, pages float64
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		return 0
	}
	return pages * float64(os.Getpagesize())
}

// TestModelsAmongGoroutines uses each model in several goroutines at once, while others
// are opened and closed beside it; then it is closed while it is used. The race
// detector looks on.
func TestModelsAmongGoroutines(t *testing.T) {
	models := pocketModels()
	if !testing.Short() {
		models = append(models, folderModels(t)...)
	}
	rt, err := backends.Open(t.Context(), backends.Options{Backend: "go"})
	require.NoError(t, err)
	defer func() { require.NoError(t, rt.Close()) }()
	for _, m := range models {
		t.Run(m.name, func(t *testing.T) { amongGoroutines(t, rt, m) })
	}
}

func amongGoroutines(t *testing.T, rt *backends.Runtime, m closable) {
	model, err := m.open(t.Context(), rt)
	require.NoError(t, err)
	var users sync.WaitGroup
	ended := make(chan error, 4) // one for each user
	for range 2 {
		users.Go(func() { ended <- until(t.Context(), model, use) })
		users.Go(func() { ended <- until(t.Context(), model, release) })
	}
	other, err := m.open(t.Context(), rt)
	require.NoError(t, err)
	require.NoError(t, use(t.Context(), other))
	require.NoError(t, other.Close())
	require.Empty(t, ended, "what ends one model ends no other")

	var closers sync.WaitGroup
	for range 2 {
		closers.Go(func() { require.NoError(t, model.Close()) })
	}
	closers.Wait()
	users.Wait()
	for range cap(ended) {
		require.ErrorIs(t, <-ended, backends.ErrClosed)
	}
}

// until calls f again and again, until it gives an error.
func until(ctx context.Context, model any, f func(context.Context, any) error) error {
	for {
		if err := f(ctx, model); err != nil {
			return err
		}
	}
}

// release lets go of what the model needs for some methods alone, and uses another.
func release(ctx context.Context, model any) error {
	if m, ok := model.(dualprocess.Releaser); ok {
		if err := m.Release(); err != nil {
			return err
		}
	}
	return use(ctx, model)
}

// TestACloseEndsDistill: Distill ends between two programs, with the adapter so far.
func TestACloseEndsDistill(t *testing.T) {
	rt, err := backends.Open(t.Context(), backends.Options{Backend: "go"})
	require.NoError(t, err)
	defer func() { require.NoError(t, rt.Close()) }()
	for k, name := range []string{"generator", "verifier"} {
		g, err := pocketgenerator.Open(t.Context(), rt, pocketgenerator.Options{})
		require.NoError(t, err)
		v, err := pocketverifier.Open(t.Context(), rt, pocketverifier.Options{})
		require.NoError(t, err)
		var closing sync.WaitGroup
		adapter, err := dualprocess.Distill(t.Context(), dualprocess.Task{
			Runtime: rt, Generator: g, Verifier: v, Updates: 1000,
			Prompts: []string{"a meadow by day"}, Questions: []dualprocess.Question{question},
			Progress: func(u dualprocess.Update) {
				if u.Number == 1 {
					closing.Go(func() { require.NoError(t, []io.Closer{g, v}[k].Close()) })
				}
			},
		})
		require.ErrorIs(t, err, backends.ErrClosed)
		require.ErrorContains(t, err, "pocket "+name+": the model is closed")
		require.NotNil(t, adapter)
		closing.Wait()
		require.NoError(t, g.Close())
		require.NoError(t, v.Close())
	}
	require.Equal(t, 1, rt.Store.NumVariables(), "only the random state is left")
}
