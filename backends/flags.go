//go:build cgo && !noxla && ((linux && (amd64 || arm64)) || (darwin && arm64) || (windows && amd64))

package backends

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
)

// flagsEnv is where XLA reads its flags from, once, when a plugin compiles for the first time.
const flagsEnv = "XLA_FLAGS"

// scheduler is the flag that chooses in what order a CPU runs a program's operations. XLA's default begins all that can be
// begun, and so has converted the weights of all layers before the first product: of 24 layers of 1024² bfloat16 weights the
// copies took 96 MiB, and take 5.6 MiB in the order that saves memory. The time was the same, and so were the numbers.
const (
	scheduler     = "xla_cpu_scheduler_type"
	schedulerFlag = "--" + scheduler + "=CPU_SCHEDULER_TYPE_MEMORY_OPTIMIZED"
	schedulerOld  = "xla_cpu_enable_concurrency_optimized_scheduler" // says the same
)

// environment guards flagsEnv while a plugin reads it.
var environment sync.Mutex

// withFlags runs load, which opens the plugin at path and compiles with it, with the flags that this package wants for it.
// What the user's environment says about the same things wins. XLA ends the process at a flag that it does not know, so the
// plugin is searched for the flag's name first.
func withFlags(path string, load func() error) error {
	environment.Lock()
	defer environment.Unlock()
	before, set := os.LookupEnv(flagsEnv)
	if !strings.HasPrefix(pluginName(path), "cpu") || strings.Contains(before, scheduler) || strings.Contains(before, schedulerOld) ||
		!mentions(path, scheduler) {
		return load()
	}
	restore := func() error { return os.Unsetenv(flagsEnv) }
	if set {
		restore = func() error { return os.Setenv(flagsEnv, before) }
	}
	if err := os.Setenv(flagsEnv, strings.TrimSpace(before+" "+schedulerFlag)); err != nil {
		return err
	}
	return errors.Join(load(), restore())
}

// mentions says whether a file has a text in it; a file that cannot be read has not.
func mentions(path, text string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // it is only read
	const piece = 1 << 20
	buffer, kept := make([]byte, piece+len(text)), 0
	for {
		n, err := io.ReadFull(f, buffer[kept:kept+piece])
		if bytes.Contains(buffer[:kept+n], []byte(text)) {
			return true
		}
		if err != nil {
			return false
		}
		kept = copy(buffer, buffer[kept+n-len(text):kept+n]) // the text may begin in one piece and end in the next
	}
}
