package backends

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// pluginPathEnv is PJRT's variable for the folders of plugins.
const pluginPathEnv = "PJRT_PLUGIN_LIBRARY_PATH"

// pluginFile matches the names of plugins that go-xla accepts.
var pluginFile = regexp.MustCompile(`^(?:pjrt_c_api_(.+)_plugin|pjrt[-_]plugin[-_](.+))\.(?:so|dylib|dll)$`)

// pluginName returns the name in a plugin's path, "" if it is none: ".../pjrt_c_api_cpu_plugin.so" is "cpu".
func pluginName(path string) string {
	match := pluginFile.FindStringSubmatch(filepath.Base(path))
	if match == nil {
		return ""
	}
	return match[1] + match[2]
}

// findPlugins returns the absolute paths of the plugin called name, or name with a version, in the order in which
// they should be tried: by folder; in a folder first the version wanted, then the one without a version, then others.
func findPlugins(folders []string, name, version string) []string {
	rank := []string{name + "_" + version, name}
	order := func(path string) int {
		if i := slices.Index(rank, pluginName(path)); i >= 0 {
			return i
		}
		return len(rank)
	}
	var all []string
	for _, folder := range folders {
		entries, err := os.ReadDir(folder)
		if err != nil {
			continue // most of the folders do not exist
		}
		var here []string
		for _, entry := range entries {
			found := pluginName(entry.Name())
			if found != name && !strings.HasPrefix(found, name+"_v") {
				continue
			}
			path, err := filepath.Abs(filepath.Join(folder, entry.Name()))
			if err == nil && isFile(path) && !slices.Contains(all, path) {
				here = append(here, path)
			}
		}
		slices.SortStableFunc(here, func(a, b string) int { return order(a) - order(b) })
		all = append(all, here...)
	}
	return all
}

// isFile follows links: go-xla's own installation has some.
func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// pluginFolders lists where go-xla looks for plugins, in its order. The folders after PJRT_PLUGIN_LIBRARY_PATH are
// searched although it is set, since plugins that Open installed are there.
func pluginFolders() []string {
	folders := filepath.SplitList(os.Getenv(pluginPathEnv))
	for _, lib := range userLibraries() {
		folders = append(folders, filepath.Join(lib, "go-xla"), filepath.Join(lib, "go-xla", "nvidia"),
			filepath.Join(lib, "gomlx", "pjrt"))
	}
	if runtime.GOOS == "windows" {
		return folders
	}
	folders = append(folders, "/usr/local/lib/go-xla", "/usr/local/lib/go-xla/nvidia", "/usr/local/lib/gomlx/pjrt")
	for _, variable := range []string{"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"} {
		folders = append(folders, filepath.SplitList(os.Getenv(variable))...)
	}
	if runtime.GOOS == "linux" {
		folders = append(folders, linkerFolders("/etc/ld.so.conf", 0)...)
	}
	return slices.DeleteFunc(folders, func(folder string) bool { return !filepath.IsAbs(folder) })
}

// userLibraries lists the user's library folders, the best place to install first: go-xla's, then one below
// XDG_DATA_HOME for users without a home that can be written to.
func userLibraries() []string {
	var libraries []string
	if home, err := os.UserHomeDir(); err == nil && filepath.IsAbs(home) {
		switch runtime.GOOS {
		case "windows":
			libraries = append(libraries, filepath.Join(home, "AppData", "Local"))
		case "darwin":
			libraries = append(libraries, filepath.Join(home, "Library", "Application Support"))
		default:
			libraries = append(libraries, filepath.Join(home, ".local", "lib"))
		}
	}
	if data := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(data) {
		libraries = append(libraries, data)
	}
	return libraries
}

// linkerFolders reads the dynamic linker's list of folders, and the lists that it includes.
func linkerFolders(file string, depth int) []string {
	f, err := os.Open(file)
	if err != nil || depth > 4 { // a list may include itself
		return nil
	}
	defer func() { _ = f.Close() }() // only read
	var folders []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) == 0 || strings.HasPrefix(fields[0], "#"):
		case fields[0] == "include" && len(fields) > 1:
			included, _ := filepath.Glob(fields[1]) // a bad pattern includes nothing
			for _, name := range included {
				folders = append(folders, linkerFolders(name, depth+1)...)
			}
		default:
			folders = append(folders, fields[0])
		}
	}
	return folders
}
