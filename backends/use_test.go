package backends

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestCloseWaits: Close, called by several at once, waits for who uses the runtime;
// nobody may begin to use it then, not even who uses it already.
func TestCloseWaits(t *testing.T) {
	r, err := Open(t.Context(), Options{Backend: "go"})
	require.NoError(t, err)
	done, err := r.Use()
	require.NoError(t, err)
	var closing sync.WaitGroup
	closed := make(chan error, 3)
	for range cap(closed) {
		closing.Go(func() { closed <- r.Close() })
	}
	require.Eventually(t, func() bool {
		again, err := r.Use()
		if err == nil {
			again()
		}
		return err != nil
	}, time.Minute, time.Millisecond)
	_, err = r.Use()
	require.ErrorIs(t, err, ErrClosed)
	require.False(t, r.Backend.IsFinalized())
	require.Empty(t, closed)

	done()
	done() // counts once
	closing.Wait()
	for range cap(closed) {
		assert.NoError(t, <-closed)
	}
	assert.True(t, r.Backend.IsFinalized())
	assert.NoError(t, r.Close())
	assert.Contains(t, r.String(), "closed")
	assert.Positive(t, r.Free())
}

// TestNoRuntime: one that was never opened has nothing to use and nothing to close.
func TestNoRuntime(t *testing.T) {
	for _, r := range []*Runtime{nil, {}} {
		_, err := r.Use()
		require.ErrorIs(t, err, ErrClosed)
		require.NoError(t, r.Close())
	}
	assert.Contains(t, (&Runtime{Name: "go"}).String(), "closed")
}

// TestCloseOfAFinalizedBackend: programs may have closed the backend themselves.
func TestCloseOfAFinalizedBackend(t *testing.T) {
	r, err := Open(t.Context(), Options{Backend: "go"})
	require.NoError(t, err)
	r.Backend.Finalize()
	_, err = r.Use()
	require.ErrorIs(t, err, ErrClosed)
	require.NoError(t, r.Close())
}
