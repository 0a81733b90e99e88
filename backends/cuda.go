//go:build cgo && !noxla && linux && amd64

package backends

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/dualprocess/dualprocess-go/backends/internal/install"
	"github.com/gomlx/go-xla/installer"
)

// maxLibrary bounds what the libraries of one wheel unpack to, in bytes.
const maxLibrary = 8 << 30

// cudaPlugin matches the plugin in JAX's wheel; go-xla wants it under another name.
var cudaPlugin = regexp.MustCompile(`^xla_cuda_plugin\.so$`)

// cudaFamily says what belongs to a major version of CUDA.
type cudaFamily struct {
	// plugin and dependencies are the projects with the plugin and with the list of NVIDIA's libraries.
	plugin, dependencies string
	// ptxas is the assembler's place among NVIDIA's libraries; XLA looks for it in bin.
	ptxas string
	// linked are libraries that XLA looks for in the library folder itself.
	linked []string
}

var (
	cuda12 = cudaFamily{plugin: "jax-cuda12-pjrt", dependencies: "jax-cuda12-plugin", ptxas: "cuda_nvcc/bin/ptxas"}
	cuda13 = cudaFamily{plugin: "jax-cuda13-pjrt", dependencies: "jax-cuda13-plugin", ptxas: "cu13/bin/ptxas",
		linked: []string{"cu13/lib/libcublasLt.so.13", "cu13/lib/libcublas.so.13"}}
)

// driverVersion matches the first version number in what the kernel's driver says of itself.
var driverVersion = regexp.MustCompile(`\s([0-9]{3,4})\.[0-9]+`)

// driverFamily returns the newest family that the kernel's driver, which described itself so, can run: CUDA 13 needs
// driver 580. For an unknown driver it is what go-xla installs.
func driverFamily(description string) cudaFamily {
	if match := driverVersion.FindStringSubmatch(description); match != nil {
		if major, err := strconv.Atoi(match[1]); err == nil && major < 580 {
			return cuda12
		}
	}
	return cuda13
}

// installCUDA installs JAX's plugin and NVIDIA's libraries below library/go-xla/nvidia, as go-xla's own installer
// does: the plugin finds the libraries there. It is gigabytes. The folder appears when all of it is there.
func installCUDA(ctx context.Context, client *install.Client, pip install.Pip, library string) (string, error) {
	driver, _ := os.ReadFile("/proc/driver/nvidia/version") // without it the driver is unknown
	return installFamily(ctx, client, pip, library, driverFamily(string(driver)))
}

func installFamily(
	ctx context.Context, client *install.Client, pip install.Pip, library string, family cudaFamily,
) (string, error) {
	folder := filepath.Join(library, "go-xla")
	final := filepath.Join(folder, "nvidia")
	plugin := filepath.Join(final, installer.NVIDIAPJRTPluginFileName)
	unlock, err := install.Lock(ctx, folder)
	if err != nil {
		return "", err
	}
	defer unlock()
	if isFile(plugin) {
		return plugin, nil // another process was faster
	}
	temp, err := install.TempFolder(folder)
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(temp) }() // gone already when all went well
	if err := fillCUDA(ctx, client, pip, family, temp); err != nil {
		return "", err
	}
	// What is there has no plugin: an installation that did not end.
	if err := os.RemoveAll(final); err != nil {
		return "", err
	}
	if err := os.Rename(temp, final); err != nil {
		return "", err
	}
	return plugin, linkCUDA(library, family)
}

// fillCUDA fetches the plugin and all libraries into temp.
func fillCUDA(ctx context.Context, client *install.Client, pip install.Pip, family cudaFamily, temp string) error {
	// No hash is known beforehand, so only the first index is asked: a second one could slip in a foreign package.
	indexes, err := pipIndexes(client, pip)
	if err != nil {
		return err
	}
	lookup := indexes[0]
	libraries, err := cudaLibraries(ctx, client, lookup, family)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(temp)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // its files have been closed
	for _, file := range libraries {
		if err := fetchLibrary(ctx, client, file, temp, root); err != nil {
			return err
		}
	}
	if err := root.MkdirAll("bin", 0o755); err != nil {
		return err
	}
	if err := root.Symlink(filepath.Join("..", family.ptxas), "bin/ptxas"); err != nil {
		return err
	}
	p, err := lookup(ctx, family.plugin)
	if err != nil {
		return err
	}
	wheel, err := newestWheel(p.files, installer.PipDependency{Package: family.plugin})
	if err != nil {
		return err
	}
	_, err = client.PlaceLocked(ctx, install.Source(wheel), cudaPlugin, temp, installer.NVIDIAPJRTPluginFileName)
	return err
}

// cudaLibraries lists the wheels of NVIDIA's libraries that JAX's plugin requires.
func cudaLibraries(ctx context.Context, client *install.Client, lookup index, family cudaFamily) ([]install.File, error) {
	p, err := lookup(ctx, family.dependencies)
	if err != nil {
		return nil, err
	}
	if p.requires == nil {
		newest, err := newestWheel(p.files, installer.PipDependency{Package: family.dependencies})
		if err != nil {
			return nil, err
		}
		if p.requires, err = client.Requires(ctx, newest); err != nil {
			return nil, err
		}
	}
	var info installer.PipPackageInfo
	info.Info.RequiresDist = p.requires
	dependencies, err := info.ParseDependencies()
	if err != nil {
		return nil, err
	}
	var wheels []install.File
	for _, dependency := range dependencies {
		if !strings.HasPrefix(dependency.Package, "nvidia-") {
			continue
		}
		p, err := lookup(ctx, dependency.Package)
		if err != nil {
			return nil, err
		}
		wheel, err := newestWheel(p.files, dependency)
		if err != nil {
			return nil, err
		}
		wheels = append(wheels, wheel)
	}
	if len(wheels) == 0 {
		return nil, errors.New("JAX's plugin names no NVIDIA libraries")
	}
	return wheels, nil
}

// newestWheel chooses the newest released wheel for this system that satisfies the dependency.
func newestWheel(files []install.File, wanted installer.PipDependency) (install.File, error) {
	var newest install.File
	for _, file := range files {
		version := file.Version()
		if !numbers.MatchString(version) || file.SHA256 == "" || !wanted.IsValid(version) ||
			!installer.PipPackageLinuxAMD64().MatchString(file.Name) {
			continue
		}
		if newest.Name == "" || installer.PipCompareVersion(version, newest.Version()) > 0 {
			newest = file
		}
	}
	if newest.Name == "" {
		return newest, fmt.Errorf("%s has no fitting wheel: %w", wanted.Package, install.ErrNotFound)
	}
	return newest, nil
}

// numbers matches versions that were released: candidates and the like have letters.
var numbers = regexp.MustCompile(`^[0-9]+(\.[0-9]+)*$`)

func fetchLibrary(ctx context.Context, client *install.Client, wheel install.File, temp string, root *os.Root) error {
	archive, err := client.Fetch(ctx, install.Source(wheel), temp)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(archive) }() // temp is removed or swept
	return install.Unpack(ctx, archive, "nvidia", root, maxLibrary)
}

// linkCUDA makes the links to libraries that XLA looks for beside go-xla's folder.
func linkCUDA(library string, family cudaFamily) error {
	for _, target := range family.linked {
		link := filepath.Join(library, filepath.Base(target))
		if err := os.Remove(link); err != nil && !os.IsNotExist(err) {
			return err
		}
		if err := os.Symlink(filepath.Join("go-xla", "nvidia", target), link); err != nil {
			return err
		}
	}
	return nil
}
