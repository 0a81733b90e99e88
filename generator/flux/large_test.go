package flux

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/lifesize"
	"github.com/dualprocess/dualprocess-go/internal/peak"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

// largeFile is the large transformer.
var largeFile = filepath.Join("transformer", "diffusion_pytorch_model.safetensors")

// largeEnv names the checkpoint for the process that TestLarge starts.
const largeEnv = "DUALPROCESS_TEST_LARGE"

// TestLarge opens a checkpoint of nearly 2 GB, of blocks as wide as the real model's. At
// no time may the process hold more than the files and 15 %: weights are never in
// memory twice.
func TestLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("writes nearly 2 GB")
	}
	if runtime.GOOS != "linux" {
		t.Skip("the peak of a process's memory is read from /proc")
	}
	folder := t.TempDir()
	size := writeLarge(t, folder)
	began := time.Now()
	f, err := os.Open(filepath.Join(folder, largeFile))
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
	found := regexp.MustCompile(`peak (\d+) bytes, load (\S+)`).FindSubmatch(out)
	require.NotNil(t, found, "%s", out)
	most, err := strconv.Atoi(string(found[1]))
	require.NoError(t, err)
	t.Logf("files %d MB, peak %d MB (%.2f), loaded in %s, read in %s", size>>20, most>>20, float64(most)/float64(size), found[2], cat)
	require.LessOrEqual(t, float64(most), 1.15*float64(size))
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
	fmt.Printf("peak %d bytes, load %s\n", peak.Process(), took)
}

// writeLarge writes the fixture's folder with a large transformer, in bfloat16,
// and returns the size of its weights in bytes.
func writeLarge(t *testing.T, folder string) int64 {
	files, err := lifesize.Model{
		Folder: fixtureWith(t, false), DType: safetensors.BF16, Open: lifesize.Opening(OpenFS),
		Changes: lifesize.Below("transformer/config.json ", map[string]any{
			"num_attention_heads": 24, "attention_head_dim": 128, "axes_dims_rope": []int{16, 56, 56}, "num_layers": 2, "num_single_layers": 1,
		}),
	}.Files(t.Context())
	require.NoError(t, err)
	require.NoError(t, lifesize.Write(t.Context(), files, folder))
	info, err := os.Stat(filepath.Join(folder, largeFile))
	require.NoError(t, err)
	return info.Size()
}
