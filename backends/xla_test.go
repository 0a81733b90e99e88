//go:build cgo && !noxla && linux && amd64

package backends

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dualprocess/dualprocess-go/backends/internal/install"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/go-xla/installer"
	"github.com/stretchr/testify/require"
)

func TestXLAOptions(t *testing.T) {
	cpu, cuda := "/x/pjrt_c_api_cpu_plugin.so", "/cpu/pjrt_c_api_cuda_plugin.so"
	half := Options{Preallocate: 0.5}
	require.Equal(t, ",shared_buffers=true", xlaOptions(cpu, choice{}, half))
	require.Equal(t, ",shared_buffers=false,preallocate=true,visible_devices=0,memory_fraction=0.5", xlaOptions(cuda, choice{}, half))
	require.Equal(t, ",shared_buffers=false,preallocate=false,visible_devices=1,memory_fraction=0.95", xlaOptions(cuda, choice{}, Options{Device: 1}))
	own := choice{options: "noshared_buffers,preallocate=false"}
	require.Equal(t, "noshared_buffers,preallocate=false,visible_devices=0,memory_fraction=0.5", xlaOptions(cuda, own, half))
}

func TestPlainPath(t *testing.T) {
	plugin := touch(t, t.TempDir(), "nvidia", "a,b", "pjrt_c_api_cpu_plugin.so")
	plain, cleanup, err := plainPath(plugin)
	require.NoError(t, err)
	require.NotContains(t, plain, ",")
	require.NotContains(t, plain, "nvidia")
	target, err := filepath.EvalSymlinks(plain)
	require.NoError(t, err)
	require.Equal(t, plugin, target)
	cleanup()
	require.NoFileExists(t, plain)
	require.FileExists(t, plugin)

	plain, cleanup, err = plainPath("/nvidia/pjrt_c_api_cuda_plugin.so")
	require.NoError(t, err)
	require.Equal(t, "/nvidia/pjrt_c_api_cuda_plugin.so", plain, "it finds its libraries relative to itself")
	cleanup()
	_, _, err = plainPath("/a,b/pjrt_c_api_cuda_plugin.so")
	require.Error(t, err)
}

// TestOpenBrokenPlugin: a file that is no library is passed over, and not replaced by a download.
func TestOpenBrokenPlugin(t *testing.T) {
	bare(t)
	folder := t.TempDir()
	touch(t, folder, "pjrt_c_api_cpu_plugin.so")
	t.Setenv(pluginPathEnv, folder)
	t.Setenv(NoDownloadEnv, "1")
	if len(findPlugins(pluginFolders(), "cpu", "")) > 1 {
		t.Skip("a working plugin is installed for the whole system")
	}
	_, err := Open(t.Context(), Options{Backend: "xla:cpu"})
	require.ErrorIs(t, err, ErrUnavailable)
	require.NotErrorIs(t, err, ErrNoDownload)
	require.ErrorContains(t, err, folder)
}

// TestOpenCPU needs an installed plugin. It opens it as the user called nvidia would, twice at once.
func TestOpenCPU(t *testing.T) {
	found := findPlugins(pluginFolders(), "cpu", "")
	if len(found) == 0 {
		t.Skip("no plugin is installed")
	}
	folder := filepath.Join(t.TempDir(), "nvidia")
	require.NoError(t, os.Mkdir(folder, 0o755))
	require.NoError(t, os.Symlink(found[0], filepath.Join(folder, "pjrt_c_api_cpu_plugin.so")))
	t.Setenv(pluginPathEnv, folder)
	var open []*Runtime
	for range 2 {
		r, err := Open(t.Context(), Options{Backend: "xla:cpu", NoDownload: true})
		require.NoError(t, err)
		require.Equal(t, "xla:cpu", r.Name)
		require.Equal(t, dtypes.Float32, r.DType)
		require.Contains(t, r.Reason, folder)
		open = append(open, r)
	}
	for _, r := range open {
		require.NoError(t, r.Close())
	}
}

func TestInstallNowhere(t *testing.T) {
	home := bare(t)
	_, err := installPlugin(t.Context(), "tpu", Options{})
	require.Error(t, err)
	_, err = installPlugin(t.Context(), "cpu", Options{NoDownload: true})
	require.ErrorIs(t, err, ErrNoDownload)

	touch(t, home, ".local") // a file where a folder should be
	_, err = installPlugin(t.Context(), "cpu", Options{})
	require.ErrorContains(t, err, "there is no place to install it")
	t.Setenv("HOME", "")
	_, err = installPlugin(t.Context(), "cpu", Options{})
	require.ErrorContains(t, err, "neither HOME nor XDG_DATA_HOME")
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	library, err := writableLibrary()
	require.NoError(t, err)
	require.Equal(t, os.Getenv("XDG_DATA_HOME"), library)
}

// makeWheel packs a map from names to contents.
func makeWheel(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	for entry, content := range files {
		w, err := archive.Create(entry)
		require.NoError(t, err)
		_, err = w.Write([]byte(content))
		require.NoError(t, err)
	}
	require.NoError(t, archive.Close())
	return out.Bytes()
}

// fakeIndex serves wheels, each a map from names in it to contents, as a simple index does. An entry "METADATA" is
// served beside the wheel; a hash of lies is announced instead of the true one.
func fakeIndex(t *testing.T, wheels map[string]map[string]string, lies string) (address string) {
	t.Helper()
	served := map[string][]byte{}
	pages := map[string][]map[string]any{}
	for name, files := range wheels {
		wheel := makeWheel(t, files)
		hash := sha256.Sum256(wheel)
		sum := hex.EncodeToString(hash[:])
		if lies != "" {
			sum = lies
		}
		served["/files/"+name] = wheel
		served["/files/"+name+".metadata"] = []byte(files["METADATA"])
		project, _, _ := strings.Cut(name, "-")
		page := "/simple/" + strings.ReplaceAll(project, "_", "-") + "/"
		pages[page] = append(pages[page], map[string]any{
			"filename": name, "url": "../../files/" + name, "hashes": map[string]string{"sha256": sum},
		})
	}
	for page, files := range pages {
		body, err := json.Marshal(map[string]any{"files": files})
		require.NoError(t, err)
		served[page] = body
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, found := served[r.URL.Path]
		if !found {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/vnd.pypi.simple.v1+json")
		_, _ = w.Write(body) // the client sees a failure
	}))
	t.Cleanup(server.Close)
	return server.URL + "/simple"
}

// TestInstallWheel: the wheel is known by its hash alone, so an index cannot pass off another file.
func TestInstallWheel(t *testing.T) {
	files := map[string]map[string]string{
		"lammps_jax_pjrt_cpu-9.9-py3-none-any.whl": {"pjrt_c_api_cpu_plugin.so": "something else"},
	}
	client, err := install.NewClient("")
	require.NoError(t, err)
	folder := t.TempDir()

	_, err = installWheel(t.Context(), client, install.Pip{Index: fakeIndex(t, files, "")}, folder)
	require.ErrorIs(t, err, install.ErrNotFound)
	_, err = installWheel(t.Context(), client, install.Pip{Index: fakeIndex(t, files, wheelSHA256)}, folder)
	require.ErrorIs(t, err, install.ErrHash)
	require.Empty(t, findPlugins([]string{folder}, "cpu", ""))
	_, err = installWheel(t.Context(), client, install.Pip{NoIndex: true}, folder)
	require.ErrorContains(t, err, "pip is configured to use no package index")
}

const tag = "-py3-none-manylinux_2_27_x86_64.whl"

// cudaWheels are JAX's and NVIDIA's, without their gigabytes: the right ones, and others that must not be taken.
var cudaWheels = map[string]map[string]string{
	"jax_cuda13_plugin-0.9.0-cp312-cp312-manylinux_2_27_x86_64.whl": {
		"METADATA": "Requires-Dist: jax-cuda13-pjrt==0.9.0\n" +
			"Requires-Dist: nvidia-cublas>=13.0; sys_platform == \"linux\" and extra == \"with-cuda\"\n" +
			"Requires-Dist: nvidia-cuda-nvcc<14,>=13.0; extra == \"with-cuda\"\n\n",
	},
	"jax_cuda13_pjrt-0.9.0" + tag:    {"jax_plugins/xla_cuda13/xla_cuda_plugin.so": "plugin"},
	"jax_cuda13_pjrt-1.0.0rc1" + tag: {"jax_plugins/xla_cuda13/xla_cuda_plugin.so": "candidate"},
	"jax_cuda13_pjrt-0.10.0-any.whl": {},
	"nvidia_cublas-12.9" + tag:       {"nvidia/cu13/lib/libcublas.so.13": "too old"},
	"nvidia_cublas-13.9" + tag:       {"nvidia/cu13/lib/libcublas.so.13": "old"},
	"nvidia_cublas-13.10" + tag:      {"nvidia/cu13/lib/libcublas.so.13": "new", "nvidia/../evil": "x"},
	"nvidia_cuda_nvcc-13.1" + tag:    {"nvidia/cu13/bin/ptxas": "assembler"},
	"nvidia_cuda_nvcc-14.0" + tag:    {"nvidia/cu13/bin/ptxas": "too new"},
	"nvidia_unrelated-1.0" + tag:     {"nvidia/unrelated": "x"},
}

// TestInstallCUDA checks the layout that JAX's plugin expects.
func TestInstallCUDA(t *testing.T) {
	index := fakeIndex(t, cudaWheels, "")
	client, err := install.NewClient("")
	require.NoError(t, err)
	library := t.TempDir()
	touch(t, library, "go-xla", "nvidia", "left by an installation that did not end")

	path, err := installFamily(t.Context(), client, install.Pip{Index: index}, library, cuda13)
	require.NoError(t, err)
	nvidia := filepath.Join(library, "go-xla", "nvidia")
	require.Equal(t, filepath.Join(nvidia, installer.NVIDIAPJRTPluginFileName), path)
	for name, want := range map[string]string{
		path:                                  "plugin",
		filepath.Join(nvidia, "bin", "ptxas"): "assembler",
		filepath.Join(library, "libcublas.so.13"): "new",
	} {
		got, err := os.ReadFile(name)
		require.NoError(t, err)
		require.Equal(t, want, string(got), name)
	}
	entries, err := os.ReadDir(nvidia)
	require.NoError(t, err)
	require.Len(t, entries, 3, "bin, cu13 and the plugin: no archives, no leftovers")

	again, err := installFamily(t.Context(), client, install.Pip{NoIndex: true}, library, cuda13)
	require.NoError(t, err, "it is there already")
	require.Equal(t, path, again)
}

func TestInstallCUDAFails(t *testing.T) {
	client, err := install.NewClient("")
	require.NoError(t, err)
	library := t.TempDir()
	_, err = installFamily(t.Context(), client, install.Pip{Index: fakeIndex(t, nil, "")}, library, cuda12)
	require.ErrorIs(t, err, install.ErrNotFound)
	require.Empty(t, findPlugins([]string{filepath.Join(library, "go-xla", "nvidia")}, "cuda", ""))
	require.NoDirExists(t, filepath.Join(library, "go-xla", "nvidia"))
}

func TestDriverFamily(t *testing.T) {
	for description, want := range map[string]string{
		"NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.161.08  Sat Feb 17": cuda12.plugin,
		"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Re": cuda13.plugin,
		"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  1001.1  Relea": cuda13.plugin,
		"": cuda13.plugin,
	} {
		require.Equal(t, want, driverFamily(description).plugin, description)
	}
}

func TestWithin(t *testing.T) {
	got, err := within(t.Context(), time.Minute, func() (int, error) { return 3, nil })
	require.NoError(t, err)
	require.Equal(t, 3, got)
	never := make(chan struct{})
	defer close(never)
	_, err = within(t.Context(), time.Millisecond, func() (int, error) { <-never; return 0, nil })
	require.ErrorContains(t, err, "no answer")
}

// TestInstallForReal downloads a plugin (60 to 100 MB) into an empty home and computes with it.
func TestInstallForReal(t *testing.T) {
	if os.Getenv("DUALPROCESS_TEST_INSTALL") == "" {
		t.Skip("set DUALPROCESS_TEST_INSTALL=1 to download a plugin")
	}
	pip, certificates := os.Getenv("PIP_INDEX_URL"), os.Getenv("PIP_CERT")
	home := bare(t)
	t.Setenv("PIP_INDEX_URL", pip)
	t.Setenv("PIP_CERT", certificates)
	if len(findPlugins(pluginFolders(), "cpu", "")) > 0 {
		t.Skip("a plugin is installed for the whole system")
	}
	var last Download
	start := time.Now()
	r, err := Open(t.Context(), Options{Backend: "xla:cpu", Progress: func(d Download) { last = d }})
	require.NoError(t, err)
	t.Logf("installed in %s: %s", time.Since(start).Round(10*time.Millisecond), r.Reason)
	require.Contains(t, r.Reason, home)
	require.Equal(t, last.Total, last.Done)
	require.NoError(t, r.Close())

	start = time.Now()
	r, err = Open(t.Context(), Options{Backend: "xla:cpu", NoDownload: true})
	require.NoError(t, err, "the second time it is there")
	t.Logf("opened again in %s", time.Since(start).Round(time.Millisecond))
	require.NoError(t, r.Close())
}
