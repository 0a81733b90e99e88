package backends

import (
	"context"
	"errors"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFreeHost(t *testing.T) {
	const memory = "MemTotal:       24689764 kB\nMemAvailable:   2000 kB\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"machine":                {map[string]string{"/proc/meminfo": memory}, 2000 << 10},
		"container":              {map[string]string{"/proc/meminfo": memory, "/sys/fs/cgroup/memory.max": "1000000\n", "/sys/fs/cgroup/memory.current": "400000\n"}, 600000},
		"container without end":  {map[string]string{"/proc/meminfo": memory, "/sys/fs/cgroup/memory.max": "max\n", "/sys/fs/cgroup/memory.current": "400000\n"}, 2000 << 10},
		"container that is full": {map[string]string{"/proc/meminfo": memory, "/sys/fs/cgroup/memory.max": "10\n", "/sys/fs/cgroup/memory.current": "400000\n"}, 0},
		"another system":         {nil, 0},
		"nonsense":               {map[string]string{"/proc/meminfo": "MemAvailable: -5 kB\nMemAvailable:"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, freeHost(func(path string) ([]byte, error) {
				if text, ok := c.files[path]; ok {
					return []byte(text), nil
				}
				return nil, errors.New("no such file")
			}))
		})
	}
}

func TestCheckpoints(t *testing.T) {
	rt, err := Open(context.Background(), Options{Backend: "go"})
	require.NoError(t, err)
	defer func() { require.NoError(t, rt.Close()) }()
	rt.memory = 1000
	_, err = rt.Store.CreateVariable("/w", tensors.FromFlatDataAndDimensions(make([]float32, 100), 100))
	require.NoError(t, err)
	left := rt.Free()
	require.LessOrEqual(t, left, int64(600), "the variable takes 400 bytes")

	half := int(left / 2)
	assert.False(t, rt.Checkpoints(CheckpointAuto, half))
	assert.True(t, rt.Checkpoints(CheckpointAuto, half+1))
	assert.True(t, rt.Checkpoints(CheckpointOn, 0))
	assert.False(t, rt.Checkpoints(CheckpointOff, 1<<40))
	require.ErrorIs(t, Checkpointing(3).Validate(), ErrOptions)
}

// TestDevice: a processor is one device, and cards are counted as the driver's tool does.
func TestDevice(t *testing.T) {
	_, err := Open(t.Context(), Options{Backend: "go", Device: 1})
	require.ErrorIs(t, err, ErrUnavailable)
	require.ErrorContains(t, err, "it has no device 1")
	for shown, want := range map[string][]string{"": {"0", "1"}, "2,GPU-5f": {"2", "GPU-5f"}, "3": {"3", "1"}} {
		t.Setenv("CUDA_VISIBLE_DEVICES", shown)
		require.Equal(t, want, []string{card(0), card(1)})
	}
}
