package graphs

import (
	"io"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/backends"
)

// mostKept programs stay compiled on a runtime. A program of one model at one shape
// of its inputs counts as one; a distillation with every guard and its pictures
// needs about ten.
const mostKept = 64

// Stats says what a runtime has compiled.
type Stats struct {
	Kept     int           // programs that are compiled now
	Compiled int           // programs compiled since the runtime was opened
	Time     time.Duration // that this took
}

// StatsOf returns the statistics of a runtime.
func StatsOf(rt *backends.Runtime) Stats {
	c := cacheOf(rt)
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Kept = len(c.kept)
	return s
}

// Forget frees the programs that call a model. Those that run are freed when they
// are done.
func Forget(rt *backends.Runtime, m any) {
	if m != nil && comparable(m) {
		cacheOf(rt).forget(func(k Key) bool { return slices.Contains(k.Models[:], m) })
	}
}

// cache keeps the compiled programs of a runtime, and lets go of those that have
// not been used for longest.
type cache struct {
	mu    sync.Mutex
	kept  []*compiled // the last used at the end
	stats Stats
}

// compiled is a program for inputs of certain shapes.
type compiled struct {
	key    Key
	shapes string
	turn   chan struct{} // holds one value while it compiles or runs
	exec   *model.Exec   // nil until compiled; only used by whoever has the turn, as is
	graph  *graph.Graph  // which knows the models

	// Guarded by the cache:
	users int  // that hold or wait for it
	ready bool // it is compiled
	gone  bool // it is no longer kept: the last user frees it
}

// cacheKey is what the cache is attached to its runtime by.
type cacheKey struct{}

func cacheOf(rt *backends.Runtime) *cache {
	return rt.Attach(cacheKey{}, func() io.Closer { return &cache{} }).(*cache)
}

// hold returns the program of a key for inputs of some shapes, which is yet to be
// compiled if it is new. It is to be let go.
func (c *cache) hold(key Key, shapes string) *compiled {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := slices.IndexFunc(c.kept, func(p *compiled) bool { return p.key == key && p.shapes == shapes })
	var p *compiled
	if at >= 0 {
		p = c.kept[at]
		c.kept = slices.Delete(c.kept, at, at+1)
	} else {
		p = &compiled{key: key, shapes: shapes, turn: make(chan struct{}, 1)}
	}
	p.users++
	c.kept = append(c.kept, p)
	return p
}

// has says whether a program is compiled.
func (c *cache) has(key Key, shapes string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.kept, func(p *compiled) bool { return p.key == key && p.shapes == shapes && p.ready })
}

// let goes of a program that was held.
func (c *cache) let(p *compiled) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p.users--
	if !p.ready { // its compilation failed, or never began
		c.remove(func(x *compiled) bool { return x == p && p.users == 0 })
	}
	for k := 0; k < len(c.kept) && len(c.kept) > mostKept; {
		if oldest := c.kept[k]; oldest.users > 0 {
			k++
		} else {
			c.remove(func(x *compiled) bool { return x == oldest })
		}
	}
	if p.gone && p.users == 0 {
		p.free()
	}
}

// forget removes the programs with the keys that are named.
func (c *cache) forget(named func(Key) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(func(p *compiled) bool { return named(p.key) })
}

// remove removes programs, and frees those that nobody uses. The cache is locked.
func (c *cache) remove(these func(*compiled) bool) {
	c.kept = slices.DeleteFunc(c.kept, func(p *compiled) bool {
		if !these(p) {
			return false
		}
		if p.gone = true; p.users == 0 {
			p.free()
		}
		return true
	})
}

func (p *compiled) free() {
	if p.exec != nil {
		p.exec.Finalize()
		p.exec, p.graph = nil, nil
	}
}

// Close frees all programs, none of which runs any more.
func (c *cache) Close() error {
	c.forget(func(Key) bool { return true })
	return nil
}

// took notes that a program has been compiled.
func (c *cache) took(p *compiled, d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p.ready = true
	c.stats.Compiled++
	c.stats.Time += d
}

// comparable tells whether a value can be compared by ==.
func comparable(x any) bool { return x == nil || reflect.ValueOf(x).Comparable() }
