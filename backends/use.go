package backends

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/dualprocess/dualprocess-go/internal/hostmem"
)

// ErrClosed says that the runtime, or the model that the error names, has been closed, or that Close waits for what still
// uses it.
var ErrClosed = errors.New("closed")

// users are what computes on a runtime or with a model.
type users struct {
	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup // grows only under mu, and only until closed
	free    func() error   // once, when nothing runs any more

	attached map[any]io.Closer // guarded by mu
	order    []io.Closer       // of attachment
}

// Attach returns what is attached to the runtime under a key, which is made if there is nothing yet: what shall live as
// long as the runtime does, as its compiled programs. Keys are compared as those of contexts are: use a type of your own.
// Close closes what is attached, the last first, when nothing runs any more. make must not use the runtime.
func (r *Runtime) Attach(key any, make func() io.Closer) io.Closer {
	r.users.mu.Lock()
	defer r.users.mu.Unlock()
	if x, ok := r.users.attached[key]; ok {
		return x
	}
	x := make()
	if r.users.attached == nil {
		r.users.attached = map[any]io.Closer{}
	}
	r.users.attached[key] = x
	r.users.order = append(r.users.order, x)
	return x
}

// Use keeps the runtime open until done is called: Close waits for it. Whoever computes on Backend, or looks into Store,
// without this library's functions should hold it while they do; the functions hold it themselves. Once Close has been
// called there is nothing to hold, even for those who hold it already: the error wraps ErrClosed.
func (r *Runtime) Use() (done func(), err error) {
	if r == nil || r.users == nil {
		return nil, fmt.Errorf("backends: there is no runtime: %w", ErrClosed)
	}
	done, open := r.users.use()
	if open && r.Backend.IsFinalized() {
		done()
		open = false
	}
	if !open {
		return nil, fmt.Errorf("backends: the runtime is %w", ErrClosed)
	}
	return done, nil
}

// use counts one more user until done is called, unless it is closed.
func (u *users) use() (done func(), open bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return nil, false
	}
	u.running.Add(1)
	return sync.OnceFunc(u.running.Done), true
}

// close waits for all users and then frees what they used.
func (u *users) close() error {
	u.mu.Lock()
	u.closed = true
	u.mu.Unlock()
	u.running.Wait()
	return u.free()
}

// Close releases the store's variables, the backend and all that is left on it. It waits for what runs, which ends soon
// with an error that wraps ErrClosed, as does all that is begun later: Distill after the program on the device, with the
// adapter as trained so far. So it must not be called by what runs, such as Task.Progress: end the context there. It may
// be called several times and by several goroutines; all get the same error, which is what GoMLX panicked with, if it
// did.
func (r *Runtime) Close() error {
	if r == nil || r.users == nil {
		return nil
	}
	return r.users.close()
}

// release frees what the runtime holds.
func (r *Runtime) release() error {
	if r.Backend.IsFinalized() {
		return nil
	}
	var errs []error
	for _, x := range slices.Backward(r.users.order) {
		errs = append(errs, x.Close())
	}
	panicked := Try(func() {
		r.Store.Finalize()
		r.Backend.Finalize()
		hostmem.GiveBack()
	})
	if err := errors.Join(append(errs, panicked)...); err != nil {
		return fmt.Errorf("backends: close %s: %w", r.Name, err)
	}
	return nil
}
