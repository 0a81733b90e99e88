//go:build cgo && !noxla && ((linux && (amd64 || arm64)) || (darwin && arm64) || (windows && amd64))

package backends

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"runtime"
	"time"

	"github.com/dualprocess/dualprocess-go/backends/internal/install"
	"github.com/gomlx/go-xla/installer"
	"github.com/gomlx/go-xla/pjrt"
)

// These bound go-xla's questions to its servers, which have no timeout of their own. The release has a stand-in, so
// it gets less time than the package index, which has none.
const (
	releaseTimeout = 5 * time.Second
	indexTimeout   = 10 * time.Second
)

// The wheel that has XLA's CPU plugin for linux/amd64. It is trusted by its hash, wherever it comes from.
const (
	wheelProject = "lammps-jax-pjrt-cpu"
	wheelSHA256  = "1319390d948b39f69f7dade496b7c385149d9ca6097a6b62114da113216d9ad1"
)

// cpuPlugin matches the plugin in go-xla's releases and in the wheel.
var cpuPlugin = regexp.MustCompile(`^pjrt_c_api_cpu(_v[0-9.]+)?_plugin\.(so|dylib|dll)$`)

// installPlugin downloads the named plugin into the user's library folder and returns its path.
func installPlugin(ctx context.Context, name string, o Options) (string, error) {
	if name != "cpu" && name != "cuda" {
		return "", errors.New("and this one cannot be downloaded")
	}
	if o.NoDownload {
		return "", ErrNoDownload
	}
	library, err := writableLibrary()
	if err != nil {
		return "", err
	}
	pip := install.PipSettings()
	client, err := install.NewClient(pip.Cert)
	if err != nil {
		return "", err
	}
	client.Progress = func(name string, done, total int64) { o.Progress(Download{Name: name, Done: done, Total: total}) }
	if name == "cuda" {
		return installCUDA(ctx, client, pip, library)
	}
	folder := filepath.Join(library, "go-xla")
	path, err := installRelease(ctx, client, folder)
	if err == nil || ctx.Err() != nil || runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return path, err
	}
	o.Logger.Info("go-xla's release cannot be had, trying the wheel", "why", why(err))
	path, wheelErr := installWheel(ctx, client, pip, folder)
	if wheelErr != nil {
		return "", fmt.Errorf("%w; %w", err, wheelErr)
	}
	return path, nil
}

// writableLibrary returns the first of the user's library folders in which files can be made.
func writableLibrary() (string, error) {
	libraries := userLibraries()
	if len(libraries) == 0 {
		return "", errors.New("there is no place to install it: neither HOME nor XDG_DATA_HOME is set")
	}
	var errs []error
	for _, library := range libraries {
		err := install.Writable(filepath.Join(library, "go-xla"))
		if err == nil {
			return library, nil
		}
		errs = append(errs, err)
	}
	return "", fmt.Errorf("there is no place to install it: %w", errors.Join(errs...))
}

// installRelease installs the CPU plugin that belongs to this version of go-xla, under the name that go-xla gives it.
func installRelease(ctx context.Context, client *install.Client, folder string) (string, error) {
	version := pjrt.DefaultCPUVersion
	address, err := within(ctx, releaseTimeout, func() (string, error) {
		return installer.CPUGetDownloadURL(runtime.GOOS+"_"+runtime.GOARCH, version)
	})
	if err != nil {
		return "", fmt.Errorf("go-xla's release %s: %w", version, err)
	}
	extension := ".so"
	if runtime.GOOS == "windows" {
		extension = ".dll"
	}
	source := install.Source{Name: "XLA CPU plugin " + version, URL: address}
	return client.Place(ctx, source, cpuPlugin, folder, "pjrt_c_api_cpu_"+version+"_plugin"+extension)
}

// installWheel installs the CPU plugin out of the wheel.
func installWheel(ctx context.Context, client *install.Client, pip install.Pip, folder string) (string, error) {
	indexes, err := pipIndexes(client, pip)
	if err != nil {
		return "", err
	}
	var errs []error
	for _, index := range indexes {
		project, err := index(ctx, wheelProject)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, file := range project.files {
			if file.SHA256 == wheelSHA256 {
				source := install.Source{Name: "XLA CPU plugin (" + wheelProject + ")", URL: file.URL, SHA256: wheelSHA256}
				return client.Place(ctx, source, cpuPlugin, folder, "pjrt_c_api_cpu_plugin.so")
			}
		}
		errs = append(errs, fmt.Errorf("%s has no file with the known sha256: %w", wheelProject, install.ErrNotFound))
	}
	return "", errors.Join(errs...)
}

// project is what a package index says of a project.
type project struct {
	files []install.File
	// requires are the "Requires-Dist" entries of its latest version; only JAX's plugin is asked for them.
	requires []string
}

// index looks a project up.
type index func(ctx context.Context, name string) (project, error)

// pipIndexes returns the indexes that pip would use: those that the user configured, else the public one, whose
// address go-xla's installer knows.
func pipIndexes(client *install.Client, pip install.Pip) ([]index, error) {
	if pip.NoIndex {
		return nil, errors.New("pip is configured to use no package index")
	}
	var indexes []index
	if pip.Index == "" {
		indexes = append(indexes, publicIndex)
	}
	for _, address := range append([]string{pip.Index}, pip.Extra...) {
		if address != "" {
			indexes = append(indexes, simpleIndex(client, address))
		}
	}
	return indexes, nil
}

// simpleIndex asks a configured index.
func simpleIndex(client *install.Client, address string) index {
	return func(ctx context.Context, name string) (project, error) {
		files, err := client.Files(ctx, address, name)
		return project{files: files}, err
	}
}

// publicIndex asks the index that go-xla's installer asks.
func publicIndex(ctx context.Context, name string) (project, error) {
	info, err := within(ctx, indexTimeout, func() (*installer.PipPackageInfo, error) { return installer.GetPipInfo(name) })
	if err != nil {
		return project{}, fmt.Errorf("the public package index: %w", err)
	}
	// Mirrors may give addresses relative to the document that was asked for. go-xla does not say where that was, but
	// the project's page, which it does tell, is as deep on the same server.
	base, err := url.Parse(info.Info.ProjectURL)
	if err != nil {
		return project{}, fmt.Errorf("the public package index: %w", err)
	}
	p := project{requires: info.Info.RequiresDist}
	for _, releases := range info.Releases {
		for _, release := range releases {
			if address, err := base.Parse(release.URL); err == nil {
				p.files = append(p.files, install.File{
					Name: release.Filename, URL: address.String(), SHA256: release.Digests["sha256"],
				})
			}
		}
	}
	return p, nil
}

// within gives a call that cannot be cancelled some time. One that does not return in it goes on in the background,
// until its connection ends, and its result is dropped.
func within[T any](ctx context.Context, limit time.Duration, call func() (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		r.value, r.err = call()
		done <- r
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var zero T
		return zero, fmt.Errorf("no answer: %w", ctx.Err())
	}
}
