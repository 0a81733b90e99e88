package pipeline

import (
	"context"
	"sync"

	"github.com/gomlx/gomlx/core/tensors"
)

// Memory keeps what the latest prompts were encoded to, so that encoding again
// needs no encoder. The zero value is ready; it may be used by several goroutines,
// of which one computes at a time.
type Memory struct {
	Limit int // of prompts; 0 = 64

	mu    sync.Mutex
	known map[string][]*tensors.Tensor
}

// Get returns copies, which belong to the caller, of what compute returned for the
// key, and calls it if that is not known. What compute returns must lie in the
// host's memory.
func (m *Memory) Get(ctx context.Context, key string, compute func() ([]*tensors.Tensor, error)) ([]*tensors.Tensor, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	known, ok := m.known[key]
	if !ok {
		var err error
		if known, err = compute(); err != nil {
			return nil, err
		}
		limit := m.Limit
		if limit == 0 {
			limit = 64
		}
		if m.known == nil || len(m.known) >= limit {
			m.known = map[string][]*tensors.Tensor{}
		}
		m.known[key] = known
	}
	var copies []*tensors.Tensor
	for _, t := range known {
		c, err := t.LocalClone()
		if err != nil {
			return nil, err
		}
		copies = append(copies, c)
	}
	return copies, nil
}

// Do runs f while no Get computes.
func (m *Memory) Do(f func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return f()
}

// ToHost copies results of a graph to the host and frees them.
func ToHost(results []*tensors.Tensor) ([]*tensors.Tensor, error) {
	var local []*tensors.Tensor
	for _, t := range results {
		c, err := t.LocalClone()
		if err != nil {
			return nil, err
		}
		local = append(local, c)
		if err := t.FinalizeAll(); err != nil {
			return nil, err
		}
	}
	return local, nil
}
