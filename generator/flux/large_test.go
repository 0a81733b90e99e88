package flux

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// largeEnv names the checkpoint for the process that TestLarge starts.
const largeEnv = "DUALPROCESS_TEST_LARGE"

// recorded is a weights.Source that only notes what it is asked for.
type recorded struct {
	names []string
	dims  map[string][]int
}

func (r *recorded) Variable(name string, dims ...int) (*model.Variable, error) {
	r.names, r.dims[name] = append(r.names, name), dims
	return nil, nil
}

// TestLarge opens a checkpoint of 3 GB, of blocks as wide as the real model's. At
// no time may the process hold more than the files and 15 %: weights are never in
// memory twice.
func TestLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 3 GB")
	}
	if runtime.GOOS != "linux" {
		t.Skip("the peak of a process's memory is read from /proc")
	}
	folder := t.TempDir()
	size := writeLarge(t, folder)
	began := time.Now()
	f, err := os.Open(filepath.Join(folder, "transformer", "diffusion_pytorch_model.safetensors"))
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, f)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	cat := time.Since(began)

	self, err := os.Executable()
	require.NoError(t, err)
	child := exec.Command(self, "-test.run=^TestLargeChild$", "-test.v")
	child.Env = append(os.Environ(), largeEnv+"="+folder)
	out, err := child.CombinedOutput()
	require.NoError(t, err, "%s", out)
	found := regexp.MustCompile(`peak (\d+) kB, load (\S+)`).FindSubmatch(out)
	require.NotNil(t, found, "%s", out)
	peak, err := strconv.Atoi(string(found[1]))
	require.NoError(t, err)
	t.Logf("files %d MB, peak %d MB (%.2f), loaded in %s, read in %s", size>>20, peak>>10, float64(peak)*1024/float64(size), found[2], cat)
	require.LessOrEqual(t, float64(peak)*1024, 1.15*float64(size))
}

// TestLargeChild is the other process.
func TestLargeChild(t *testing.T) {
	folder := os.Getenv(largeEnv)
	if folder == "" {
		t.Skip("is run by TestLarge")
	}
	rt := golden.Runtime(t)
	began := time.Now()
	_, err := Open(t.Context(), rt, folder, Options{})
	require.NoError(t, err)
	took := time.Since(began)
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	peak := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	fmt.Printf("peak %s kB, load %s\n", peak[1], took)
}

// writeLarge writes the fixture's folder with a large transformer, in bfloat16,
// and returns the size of its weights in bytes.
func writeLarge(t *testing.T, folder string) int64 {
	files := fixtureWith(t, false)
	var cfg transformerConfig
	require.NoError(t, hf.ReadConfig(files, "transformer/config.json", &cfg))
	cfg.Heads, cfg.HeadWidth, cfg.Axes, cfg.Layers, cfg.SingleLayers = 24, 128, []int{16, 56, 56}, 4, 1
	for name, file := range files {
		if filepath.Dir(name) == "transformer" {
			continue
		}
		path := filepath.Join(folder, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, file.Data, 0o600))
	}
	text, err := json.Marshal(cfg)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(folder, "transformer"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "transformer", "config.json"), text, 0o600))

	source := &recorded{dims: map[string][]int{}}
	newTransformer(weights.NewCursor(source), cfg)
	return source.write(t, filepath.Join(folder, "transformer", "diffusion_pytorch_model.safetensors"))
}

// write makes a safetensors file of noise, without holding it in memory.
func (r *recorded) write(t *testing.T, path string) int64 {
	header, end := map[string]any{}, int64(0)
	for _, name := range r.names {
		begin := end
		bytes := int64(2)
		for _, d := range r.dims[name] {
			bytes *= int64(d)
		}
		end = begin + bytes
		header[name] = map[string]any{"dtype": "BF16", "shape": r.dims[name], "data_offsets": []int64{begin, end}}
	}
	text, err := json.Marshal(header)
	require.NoError(t, err)
	for len(text)%8 != 0 {
		text = append(text, ' ')
	}
	f, err := os.Create(path)
	require.NoError(t, err)
	w := bufio.NewWriterSize(f, 1<<20)
	require.NoError(t, binary.Write(w, binary.LittleEndian, uint64(len(text))))
	_, err = w.Write(text)
	require.NoError(t, err)
	noise := make([]byte, 1<<20)
	for i := range noise {
		noise[i] = byte(rand.IntN(256)) & 0xbf // no exponent of infinity
	}
	for left := end; left > 0; left -= int64(len(noise)) {
		_, err = w.Write(noise[:min(left, int64(len(noise)))])
		require.NoError(t, err)
	}
	require.NoError(t, w.Flush())
	require.NoError(t, f.Close())
	return end
}
