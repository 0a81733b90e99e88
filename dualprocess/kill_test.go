package dualprocess_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/lora"
)

// Environment of the tests that run themselves as another process, which is then
// killed or has no space left.
const (
	killFolderEnv  = "DUALPROCESS_TEST_FOLDER"  // of the checkpoints; set in the child alone
	killBackendEnv = "DUALPROCESS_TEST_BACKEND" // of the child
	killsEnv       = "DUALPROCESS_KILLS"        // how often a run is killed; 5 times, with toy models, without it
	spaceEnv       = "DUALPROCESS_TEST_SPACE"   // bytes that a file of the child may have
)

const killUpdates = 8

// TestChild is the training in the child, with a checkpoint after every update.
func TestChild(t *testing.T) {
	folder := os.Getenv(killFolderEnv)
	if folder == "" {
		t.Skip("runs as a child of the tests below")
	}
	if space, err := strconv.ParseUint(os.Getenv(spaceEnv), 10, 64); err == nil {
		limitFiles(t, space)
	}
	task := embedded
	if os.Getenv(killBackendEnv) == toyWorld {
		task = func(t *testing.T) dualprocess.Task { return newToy(t, "go").task() }
	}
	trained := task(t)
	trained.Updates, trained.StopAt = killUpdates, dualprocess.StopAt{Seeds: []int64{1, 2}, Every: 4}
	trained.Checkpoint = dualprocess.Checkpoint{Folder: folder, Every: 1}
	a, err := dualprocess.Distill(t.Context(), trained)
	require.NoError(t, err)
	require.NoError(t, a.Save(filepath.Join(folder, "adapter.safetensors"), lora.SaveOptions{}))
}

// toyWorld stands in the place of a backend for the toy models on pure Go, where the
// models do not matter.
const toyWorld = "toy"

// embedded is a task of the embedded models.
func embedded(t *testing.T) dualprocess.Task {
	rt := openRuntime(t, os.Getenv(killBackendEnv))
	g, v := openEmbedded(t, rt)
	return dualprocess.Task{
		Runtime: rt, Generator: g, Verifier: v, Questions: onTheLine(.3),
		Prompts: []string{"a sea at night", "a meadow at night"}, Adapter: lora.Config{Rank: 2},
	}
}

// child is the command of a training in a folder.
func child(t *testing.T, backend, folder string, env ...string) *exec.Cmd {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.count=1")
	c.Env = append(append(os.Environ(), killFolderEnv+"="+folder, killBackendEnv+"="+backend), env...)
	return c
}

// backendsOf the long form, and of the short one: XLA compiles anew in every process, and
// the embedded models take their time.
var backendsOf = map[bool][]string{true: {"go", "xla:cpu"}, false: {toyWorld}}

// TestKill kills a training at random moments until it is done. Its adapter is then
// that of a training that nobody killed, byte for byte. DUALPROCESS_KILLS=200 is the
// long form.
func TestKill(t *testing.T) {
	kills := 5
	if text := os.Getenv(killsEnv); text != "" {
		var err error
		kills, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	for _, backend := range backendsOf[os.Getenv(killsEnv) != ""] {
		t.Run(backend, func(t *testing.T) {
			if backend != toyWorld {
				newToy(t, backend) // or skip
			}
			began, whole := time.Now(), t.TempDir()
			out, err := child(t, backend, whole).CombinedOutput()
			require.NoError(t, err, string(out))
			took := time.Since(began)
			want, err := os.ReadFile(filepath.Join(whole, "adapter.safetensors"))
			require.NoError(t, err)

			random, folder, killed, finished := rand.New(rand.NewPCG(1, 2)), t.TempDir(), 0, 0
			for killed < kills {
				alive, err := killAfter(child(t, backend, folder), time.Duration(random.Float64()*float64(took)))
				require.NoError(t, err)
				if alive {
					killed++
					continue
				}
				requireAdapter(t, folder, want)
				finished++
				folder = t.TempDir()
			}
			out, err = child(t, backend, folder).CombinedOutput()
			require.NoError(t, err, string(out))
			requireAdapter(t, folder, want)
			t.Logf("killed %d times, finished %d times", killed, finished+1)
		})
	}
}

// killAfter starts a training and kills it after some time; alive says that it was
// not done by then.
func killAfter(c *exec.Cmd, after time.Duration) (alive bool, err error) {
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		return false, err
	}
	timer := time.AfterFunc(after, func() { _ = c.Process.Kill() }) // it may be done
	defer timer.Stop()
	err = c.Wait()
	if status, ok := c.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("%w: %s", err, out.String())
	}
	return false, nil
}

func requireAdapter(t *testing.T, folder string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(folder, "adapter.safetensors"))
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got), "the adapter is another one")
}

// TestNoSpaceLeft limits the size of files, as a full disk would: the checkpoint
// that does not fit leaves no trace, and the folder goes on to be of use.
func TestNoSpaceLeft(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the limit is Linux's")
	}
	whole := t.TempDir()
	out, err := child(t, toyWorld, whole).CombinedOutput()
	require.NoError(t, err, string(out))
	want, err := os.ReadFile(filepath.Join(whole, "adapter.safetensors"))
	require.NoError(t, err)
	size := fileSize(t, filepath.Join(whole, checkpoints(t, whole)[1]))

	folder := t.TempDir()
	_, err = killAfter(child(t, toyWorld, folder), time.Hour)
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(folder, "adapter.safetensors")))
	kept := checkpoints(t, folder)
	require.NoError(t, os.Remove(filepath.Join(folder, kept[1])), "the training is not done")
	for _, space := range []int64{0, size / 3, size * 2 / 3} {
		out, err := child(t, toyWorld, folder, fmt.Sprintf("%s=%d", spaceEnv, space)).CombinedOutput()
		require.Error(t, err)
		require.Contains(t, string(out), fmt.Sprintf("checkpoint after update %d", killUpdates))
		require.Equal(t, kept[:1], checkpoints(t, folder), "the last good one stays, and nothing else")
	}
	out, err = child(t, toyWorld, folder).CombinedOutput()
	require.NoError(t, err, string(out))
	requireAdapter(t, folder, want)
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Size()
}
