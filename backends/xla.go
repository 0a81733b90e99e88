//go:build cgo && !noxla && ((linux && (amd64 || arm64)) || (darwin && arm64) || (windows && amd64))

package backends

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/installer"
	"github.com/gomlx/go-xla/pjrt"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/hostmem"
)

// openXLA opens a plugin that is installed, and if there is none, installs it first. detail is the plugin's path.
func openXLA(ctx context.Context, c choice, o Options) (b compute.Backend, detail string, err error) {
	if filepath.IsAbs(c.plugin) {
		return loadXLA(c.plugin, c, o)
	}
	if c.plugin == "cuda" && !installer.HasNvidiaGPU() {
		return nil, "", fmt.Errorf("%w: no NVIDIA device here", ErrUnavailable)
	}
	var failures []error
	for _, path := range findPlugins(pluginFolders(), c.plugin, pjrt.DefaultCPUVersion) {
		b, detail, err := loadXLA(path, c, o)
		if err == nil {
			return b, detail, nil
		}
		failures = append(failures, err)
	}
	if len(failures) > 0 {
		// A second copy of a plugin that does not load would not load either.
		return nil, "", errors.Join(failures...)
	}
	path, err := installPlugin(ctx, c.plugin, o)
	if err != nil {
		return nil, "", fmt.Errorf("%w: no plugin is installed: %w", ErrUnavailable, err)
	}
	return loadXLA(path, c, o)
}

// loadXLA opens the plugin at path. Given a path, go-xla installs nothing and searches nowhere.
func loadXLA(path string, c choice, o Options) (b compute.Backend, detail string, err error) {
	clear, cleanup, err := plainPath(path)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %s: %w", ErrUnavailable, path, err)
	}
	defer cleanup()
	if !o.PlainMalloc && strings.HasPrefix(pluginName(path), "cpu") {
		hostmem.Keep()
	}
	err = withFlags(path, func() (err error) {
		// A file that is no library makes go-xla panic.
		if panicked := Try(func() { b, err = xla.New(clear + "," + xlaOptions(path, c, o)) }); panicked != nil {
			err = panicked
		}
		if err == nil {
			err = probe(b)
		}
		return err
	})
	if err == nil && o.PlainAttention {
		// Package nn asks for it; the map is this backend's own.
		b.Capabilities().Operations[compute.OpTypeFusedScaledDotProductAttention] = false
	}
	if err != nil {
		return nil, "", fmt.Errorf("%w: %s: %w", ErrUnavailable, path, err)
	}
	return b, path, nil
}

// probe computes something small, and finalizes b if it cannot: a CUDA plugin opens happily without the libraries
// that it needs later.
func probe(b compute.Backend) error {
	product, err := graph.CallOnce(b, func(x *graph.Node) *graph.Node { return graph.MatMul(x, x) }, [][]float32{{1, 2}, {3, 4}})
	if err == nil {
		if got := fmt.Sprint(product.Value()); got != "[[7 10] [15 22]]" {
			err = fmt.Errorf("it computes nonsense: %s", got)
		}
		product.MustFinalizeAll()
	}
	if err != nil {
		b.Finalize()
		return fmt.Errorf("a first computation: %w", err)
	}
	return nil
}

// xlaOptions completes the caller's options, which win.
func xlaOptions(path string, c choice, o Options) string {
	options := strings.Split(c.options, ",")
	set := func(name, value string) {
		for _, option := range options {
			if key, _, _ := strings.Cut(option, "="); key == name || key == "no"+name {
				return
			}
		}
		options = append(options, name+"="+value)
	}
	// go-xla decides this by whether "cpu" is anywhere in the path; a wrong yes would crash on a card's memory.
	set("shared_buffers", strconv.FormatBool(strings.HasPrefix(pluginName(path), "cpu")))
	if pjrt.IsCUDAName(pluginName(path)) {
		set("preallocate", strconv.FormatBool(o.Preallocate > 0))
		set("visible_devices", strconv.Itoa(o.Device))
		set("memory_fraction", strconv.FormatFloat(c.share(o), 'f', -1, 64))
	}
	return strings.Join(options, ",")
}

// plainPath returns a path to the same file that go-xla does not misread: it splits its configuration at commas, and
// takes for CUDA whatever has "cuda" or "nvidia" in its path. cleanup may be called once the plugin is loaded.
func plainPath(path string) (plain string, cleanup func(), err error) {
	cuda := pjrt.IsCUDAName(filepath.Base(path))
	if !strings.Contains(path, ",") && (cuda || !pjrt.IsCUDAName(path)) {
		return path, func() {}, nil
	}
	if cuda {
		// A CUDA plugin finds its libraries relative to itself, so it cannot be moved.
		return "", nil, errors.New("go-xla cannot open a path with a comma")
	}
	folder, err := os.MkdirTemp("", "dualprocess-")
	if err != nil {
		return "", nil, err
	}
	plain = filepath.Join(folder, filepath.Base(path))
	cleanup = func() { _ = os.RemoveAll(folder) } // a link; the system empties its temporary folder
	if err := os.Symlink(path, plain); err != nil {
		cleanup()
		return "", nil, err
	}
	return plain, cleanup, nil
}
