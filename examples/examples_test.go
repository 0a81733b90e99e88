package examples

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// output collects what a program prints while it runs.
type output struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.text.String()
}

// build compiles an example as go run would.
func build(t *testing.T, name string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), name+".exe") // Windows wants the extension, others do not mind
	out, err := exec.Command("go", "build", "-o", program, "./"+name).CombinedOutput()
	require.NoError(t, err, string(out))
	return program
}

// TestShort runs the cheapest example to its end, on the backend that is everywhere. All
// others are run by .ci/run, on the fastest backend that there is; pure Go takes minutes
// for them.
func TestShort(t *testing.T) {
	if testing.Short() {
		t.Skip("trains")
	}
	folder := t.TempDir()
	out, err := exec.Command(build(t, "custom"), "-short", "-backend", "go", "-out", folder).CombinedOutput()
	require.NoError(t, err, string(out))
	for _, file := range []string{"custom.json", "warm.png", "warm.safetensors"} {
		info, err := os.Stat(filepath.Join(folder, file))
		require.NoError(t, err)
		assert.NotZero(t, info.Size())
	}
}

// TestInterrupt stops an example as ^C does: it writes what there is.
func TestInterrupt(t *testing.T) {
	if testing.Short() {
		t.Skip("trains")
	}
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be sent ^C there")
	}
	folder, out := t.TempDir(), &output{}
	command := exec.Command(build(t, "horizon"), "-updates", "10", "-seeds", "1", "-backend", "go", "-out", folder)
	command.Stdout, command.Stderr = out, out
	require.NoError(t, command.Start())
	require.Eventually(t, func() bool { return strings.Contains(out.String(), "1/10") }, 5*time.Minute, 10*time.Millisecond)
	require.NoError(t, command.Process.Signal(os.Interrupt))
	require.Error(t, command.Wait())
	assert.Equal(t, 130, command.ProcessState.ExitCode(), out.String())
	assert.Contains(t, out.String(), "interrupted")
	for _, file := range []string{"horizon.json", "line-at-0.3.png", "line-at-0.3.safetensors"} {
		assert.FileExists(t, filepath.Join(folder, file))
	}
}
