package backends

import (
	"fmt"
	"strings"
	"sync"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// table guards Store's list of variables, which GoMLX leaves to its callers.
type table struct {
	building sync.RWMutex // held for reading while graphs are built, which go through the whole list
	mu       sync.Mutex   // held by whoever changes the list, and by whoever reads it without building
	roots    map[string]bool

	turn    sync.Mutex   // held by the program that runs, where weights are offloaded
	present *graph.Graph // whose weights are on the device, and none but them; guarded by turn
}

// Building keeps Store's list of variables as it is until done is called: no model is loaded or freed meanwhile. Whoever
// builds or compiles graphs with Store, while other goroutines may open and close models, should hold it; the library
// holds it itself. It must not be asked for again, nor for Changing, by who holds it.
func (r *Runtime) Building() (done func()) {
	r.table.building.RLock()
	return sync.OnceFunc(r.table.building.RUnlock)
}

// Changing waits until no graph is built, and keeps all others from Store's list of variables until done is called. Whoever
// creates or deletes variables, while other goroutines may build graphs, should hold it, and not for long.
func (r *Runtime) Changing() (done func()) {
	r.table.building.Lock()
	r.table.mu.Lock()
	return sync.OnceFunc(func() {
		r.table.mu.Unlock()
		r.table.building.Unlock()
	})
}

// reserve returns path, or path with a number where a model or other variables are, and keeps it for the caller.
func (t *table) reserve(store *model.Store, path string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	root := path
	for n := 2; t.roots[root] || holds(store, root); n++ {
		root = fmt.Sprintf("%s%d", path, n)
	}
	if t.roots == nil {
		t.roots = map[string]bool{}
	}
	t.roots[root] = true
	return root
}

// leave gives a reserved place back.
func (t *table) leave(root string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.roots, root)
}

// holds says whether the store has variables below a path.
func holds(store *model.Store, root string) bool {
	for v := range store.IterVariables() {
		if strings.HasPrefix(v.Path(), root+"/") {
			return true
		}
	}
	return false
}

// bytes is the size of all variables, by the roots of the models.
func (t *table) bytes(store *model.Store) map[string]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	sizes := map[string]int64{}
	for v := range store.IterVariables() {
		root, _, _ := strings.Cut(strings.TrimPrefix(v.Path(), "/"), "/")
		sizes[root] += int64(v.Shape().ByteSize())
	}
	return sizes
}
