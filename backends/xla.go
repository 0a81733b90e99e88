//go:build cgo && !noxla && ((linux && (amd64 || arm64)) || (darwin && arm64) || (windows && amd64))

package backends

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/installer"
)

// openXLA opens the named PJRT plugin by its absolute path, which keeps go-xla from downloading anything by itself.
func openXLA(name string) (compute.Backend, error) {
	folders := filepath.SplitList(os.Getenv("PJRT_PLUGIN_LIBRARY_PATH"))
	if home, err := installer.DefaultHomeLibPath(); err == nil {
		folders = append(folders, filepath.Join(home, "go-xla"))
	}
	for _, folder := range append(folders, "/usr/local/lib/go-xla") {
		found, err := filepath.Glob(filepath.Join(folder, "pjrt_c_api_"+name+"*_plugin.*"))
		if err != nil || len(found) == 0 {
			continue
		}
		path, err := filepath.Abs(found[0])
		if err != nil {
			return nil, fmt.Errorf("locate plugin: %w", err)
		}
		return xla.New(path)
	}
	return nil, fmt.Errorf("no PJRT plugin %q is installed: %w", name, ErrUnavailable)
}
