package pipeline

import (
	"cmp"
	"context"
	"sync"

	"github.com/gomlx/gomlx/core/tensors"
)

// memory keeps what the latest prompts were encoded to, so that encoding again
// needs no encoder. The zero value is ready; it may be used by several goroutines,
// of which one computes at a time.
type memory[P comparable] struct {
	limit int // of prompts; 0 = 64

	mu    sync.Mutex
	known map[P][]*tensors.Tensor
}

// get returns copies, which belong to the caller, of what compute returned for the
// prompt, and calls it if that is not known. What compute returns must lie in the
// host's memory.
func (m *memory[P]) get(ctx context.Context, prompt P, compute func() ([]*tensors.Tensor, error)) ([]*tensors.Tensor, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	known, ok := m.known[prompt]
	if !ok {
		var err error
		if known, err = compute(); err != nil {
			return nil, err
		}
		if m.known == nil || len(m.known) >= cmp.Or(m.limit, 64) {
			m.known = map[P][]*tensors.Tensor{}
		}
		m.known[prompt] = known
	}
	return copies(known)
}

// do runs f while no get computes.
func (m *memory[P]) do(f func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return f()
}

// copies returns copies of tensors in the host's memory.
func copies(all []*tensors.Tensor) ([]*tensors.Tensor, error) {
	var local []*tensors.Tensor
	for _, t := range all {
		c, err := t.LocalClone()
		if err != nil {
			return nil, err
		}
		local = append(local, c)
	}
	return local, nil
}
