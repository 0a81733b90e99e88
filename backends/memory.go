package backends

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/dualprocess/dualprocess-go/internal/hostmem"
	"github.com/dualprocess/dualprocess-go/internal/smi"
)

// Checkpointing says whether a model's activations are computed again in the backward pass rather than kept: about a
// third more time for far less memory.
type Checkpointing int

const (
	// CheckpointAuto recomputes where keeping them would take more than half of the memory that is free.
	CheckpointAuto Checkpointing = iota
	// CheckpointOn recomputes.
	CheckpointOn
	// CheckpointOff keeps them.
	CheckpointOff
)

// Validate returns an error that wraps ErrOptions for a number that is none of the constants.
func (c Checkpointing) Validate() error {
	if c < CheckpointAuto || c > CheckpointOff {
		return fmt.Errorf("backends: Checkpoint is %d, want CheckpointAuto, CheckpointOn or CheckpointOff: %w", c, ErrOptions)
	}
	return nil
}

// ErrMemory says that work would need more memory than the device has.
var ErrMemory = errors.New("not enough memory")

// Memory is that of the device which may be used, in bytes: Options.Memory, or what was free when the runtime was opened;
// 0 where the system does not tell.
func (r *Runtime) Memory() int64 { return r.memory }

// unknownMemory is taken for free where the system does not tell, in bytes.
const unknownMemory = 8 << 30

// Checkpoints decides whether activations of that many bytes are recomputed. Ask it while a graph is built: by then
// all models of the process are open, and the decision costs nothing.
func (r *Runtime) Checkpoints(c Checkpointing, activations int) bool {
	if r.supposed != CheckpointAuto {
		c = r.supposed
	}
	return c == CheckpointOn || c == CheckpointAuto && int64(activations) > r.Free()/2
}

// Trim gives memory back to the system that is free and that the process has kept: XLA on the CPU takes a program's
// scratch space, hundreds of megabytes, from the C library, which keeps it for the next run. It takes a few milliseconds,
// and what runs next takes the pages anew, once. It is meant for the end of a piece of work; Close of a Model calls it.
// Where XLA does not compute on the CPU, or the C library is not glibc, it does nothing.
func (r *Runtime) Trim() {
	if done, err := r.Use(); err == nil {
		defer done()
		hostmem.GiveBack()
	}
}

// Free estimates the bytes of the device's memory that are left to compute in: what was free when the runtime was
// opened, less the variables in its store; where these are offloaded, less those of the largest model. Where the system
// does not tell what was free it assumes 8 GiB.
func (r *Runtime) Free() int64 {
	free := r.memory
	if free == 0 {
		free = unknownMemory
	}
	done, err := r.Use()
	if err != nil {
		return free
	}
	defer done()
	taken := int64(0)
	for _, model := range r.table.bytes(r.Store) {
		if r.offload {
			taken = max(taken, model)
		} else {
			taken += model
		}
	}
	return max(free-taken, 0)
}

// Room is Free, but at least a GiB, as the system's word may be far too low: what may be asked for at once.
func (r *Runtime) Room() int64 { return max(r.Free(), 1<<30) }

// Fits says whether an estimate of bytes may still be had. Estimates may be a quarter too high: what is refused would not
// fit. Where the memory is unknown, everything fits.
func (r *Runtime) Fits(bytes int64) bool {
	return r.memory == 0 || float64(bytes) <= 1.25*float64(r.Room())
}

// cardShare is the share of a card's memory that XLA may take. Its own default is .75, of which it says nothing: on a card
// of 79 GiB it ends at 59. The driver's and the libraries' own memory is beside it.
const cardShare = .95

// usableMemory asks the system how many bytes of the device's memory are free, and says how many of them a backend opened
// with these options may take; 0 if the system does not tell.
func usableMemory(ctx context.Context, c choice, o Options) int64 {
	if c.name() != "xla:cuda" {
		return freeHost(os.ReadFile)
	}
	return int64(c.share(o) * float64(freeCUDA(ctx, o.Device)))
}

// freeCUDA asks the driver's own tool: PJRT knows the memory of its devices, but go-xla does not pass it on.
func freeCUDA(ctx context.Context, device int) int64 {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	mebibytes, err := strconv.ParseInt(smi.Ask(ctx, card(device), "memory.free"), 10, 64)
	if err != nil || mebibytes < 0 || mebibytes > 1<<30 {
		return 0
	}
	return mebibytes << 20
}

// card is what the driver's tool calls a device, which does not know that CUDA_VISIBLE_DEVICES counts anew.
func card(device int) string {
	shown := strings.Split(os.Getenv("CUDA_VISIBLE_DEVICES"), ",")
	if device < len(shown) && shown[device] != "" {
		return strings.TrimSpace(shown[device])
	}
	return strconv.Itoa(device)
}

// freeHost reads what Linux says is available, to the whole machine and to the container that we may be in.
func freeHost(read func(string) ([]byte, error)) int64 {
	info, err := read("/proc/meminfo")
	if err != nil {
		return 0
	}
	free := int64(0)
	for line := range strings.Lines(string(info)) {
		if rest, ok := strings.CutPrefix(line, "MemAvailable:"); ok {
			kibibytes, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
			if n, err := strconv.ParseInt(kibibytes, 10, 64); err == nil && n >= 0 && n < 1<<40 {
				free = n << 10
			}
		}
	}
	limit, errLimit := number(read, "/sys/fs/cgroup/memory.max")
	used, errUsed := number(read, "/sys/fs/cgroup/memory.current")
	if errLimit == nil && errUsed == nil && limit > 0 {
		free = min(free, max(limit-used, 0))
	}
	return free
}

// number reads a file that holds one.
func number(read func(string) ([]byte, error), path string) (int64, error) {
	text, err := read(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
}
