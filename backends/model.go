package backends

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/gomlx/gomlx/core/graph"
)

// Model is the place of one model in a Runtime: a tree of Store's variables, and a count of who uses them. The library's
// own generators and verifiers have one each; so may yours, and then it can be closed while others work.
//
// Several goroutines may use it at once.
type Model struct {
	rt         *Runtime
	name, root string
	users      users

	mu     sync.Mutex
	before []func() // of the variables' deletion, guarded by mu
}

// NewModel makes a place for a model. Its variables go below Root: path, such as "/generator", or path with a number
// where another model is. name stands before errors. Close gives the place back; until then the model is the runtime's,
// whose own Close ends it. The error wraps ErrClosed.
func (r *Runtime) NewModel(name, path string) (*Model, error) {
	done, err := r.Use()
	if err != nil {
		return nil, err
	}
	defer done()
	m := &Model{rt: r, name: name, root: r.table.reserve(r.Store, path)}
	m.users.free = sync.OnceValue(m.release)
	return m, nil
}

// Name is what the model was called.
func (m *Model) Name() string { return m.name }

// Root is the path in Store below which the model's variables are.
func (m *Model) Root() string { return m.root }

// Use keeps the model, and its runtime, open until done is called: Close waits for it. It is what methods that compute
// begin with. Once Close has been called there is nothing to hold, even for those who hold it already: the error wraps
// ErrClosed. The caller puts the model's name before it.
func (m *Model) Use() (done func(), err error) {
	model, open := m.users.use()
	if !open {
		return nil, fmt.Errorf("the model is %w", ErrClosed)
	}
	runtime, err := m.rt.Use()
	if err != nil {
		model()
		return nil, err
	}
	return func() { runtime(); model() }, nil
}

// modelsKey is where a graph keeps its models.
type modelsKey struct{}

// In notes that a graph computes with the model's variables, so that UseModels holds the model while the graph runs. It is
// what graph methods begin with; it panics with the error of Use and the model's name if the model is closed.
func (m *Model) In(g *graph.Graph) {
	done, err := m.Use()
	if err != nil {
		panic(m.named(err))
	}
	done()
	if models := modelsOf(g); !slices.Contains(models, m) {
		g.AttachState(modelsKey{}, append(slices.Clip(models), m))
	}
}

func modelsOf(g *graph.Graph) []*Model {
	models, _ := g.State(modelsKey{}).([]*Model)
	return models
}

// UseModels holds all models that a graph computes with until done is called; it is for whoever runs the graph. The error
// is that of the first whose Use gives one, with its name.
func UseModels(g *graph.Graph) (done func(), err error) {
	var held []func()
	done = func() {
		for _, let := range held {
			let()
		}
	}
	for _, m := range modelsOf(g) {
		let, err := m.Use()
		if err != nil {
			done()
			return nil, m.named(err)
		}
		held = append(held, let)
	}
	return done, nil
}

// OnClose has Close call f when nothing uses the model any more, before its variables go: to free what was compiled, for
// example. What was added last is called first.
func (m *Model) OnClose(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.before = append(m.before, f)
}

// Drop deletes those of the model's variables that are below Root/folder, and frees their memory at once; "" are all.
// They may be created again.
func (m *Model) Drop(folder string) error {
	defer m.rt.Changing()()
	return m.rt.Store.DeleteVariablesInScope(strings.TrimSuffix(m.root+"/"+folder, "/"))
}

// Close deletes the model's variables and frees their memory at once, on the device and on the host. It waits for what
// uses the model, which ends soon with an error that wraps ErrClosed, as does all that is begun later; so it must not be
// called by what uses the model. It may be called several times and by several goroutines; all get the same error. After
// the runtime's own Close, and of a nil Model, there is nothing left to do.
func (m *Model) Close() error {
	if m == nil {
		return nil
	}
	return m.users.close()
}

// release frees what the model holds.
func (m *Model) release() error {
	done, err := m.rt.Use()
	if err != nil {
		return nil // the runtime has freed it, or is about to
	}
	defer done()
	m.mu.Lock()
	before := m.before
	m.before = nil
	m.mu.Unlock()
	for _, f := range slices.Backward(before) {
		f()
	}
	err = m.Drop("")
	m.rt.table.leave(m.root)
	m.rt.Trim()
	if err != nil {
		return m.named(fmt.Errorf("close: %w", err))
	}
	return nil
}

// named puts the model's name before an error.
func (m *Model) named(err error) error { return fmt.Errorf("%s: %w", m.name, err) }
