package install

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// Pip is what the user told pip about package indexes. It is the user's word on where this machine may fetch
// packages from, so it holds for us too.
type Pip struct {
	// Index is the address of the simple index; empty is pip's default.
	Index string
	// Extra are more indexes.
	Extra []string
	// NoIndex forbids using any.
	NoIndex bool
	// Cert is a PEM file of certificate authorities; empty is the system's.
	Cert string
}

// PipSettings reads pip's configuration files and then its environment variables, which win, as pip does.
func PipSettings() Pip {
	settings := map[string]string{}
	for _, file := range pipFiles() {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // pip does without a file that it cannot read, too
		}
		// [install] is more special than [global].
		for _, section := range []string{"global", "install"} {
			for key, value := range parsePipFile(text)[section] {
				settings[key] = value
			}
		}
	}
	for _, key := range []string{"index-url", "extra-index-url", "no-index", "cert"} {
		name := "PIP_" + strings.ToUpper(strings.ReplaceAll(key, "-", "_"))
		if value := os.Getenv(name); value != "" {
			settings[key] = value
		}
	}
	noIndex, _ := strconv.ParseBool(settings["no-index"]) // anything odd is no
	return Pip{
		Index:   settings["index-url"],
		Extra:   strings.Fields(settings["extra-index-url"]),
		NoIndex: noIndex,
		Cert:    settings["cert"],
	}
}

// pipFiles lists pip's configuration files, the strongest last.
func pipFiles() []string {
	only := os.Getenv("PIP_CONFIG_FILE")
	if only == os.DevNull {
		return nil // pip's way to say: none
	}
	var files []string
	home, _ := os.UserHomeDir()     // empty: nothing is found below it
	config, _ := os.UserConfigDir() // the same
	name := "pip.conf"
	switch runtime.GOOS {
	case "windows":
		name = "pip.ini"
		files = append(files, filepath.Join(os.Getenv("ProgramData"), "pip", name))
	case "darwin":
		files = append(files, filepath.Join("/Library/Application Support/pip", name))
	default:
		files = append(files, filepath.Join("/etc/xdg/pip", name), filepath.Join("/etc", name))
	}
	if home != "" {
		files = append(files, filepath.Join(home, ".pip", name))
		if runtime.GOOS == "darwin" {
			files = append(files, filepath.Join(home, ".config", "pip", name))
		}
	}
	if config != "" {
		files = append(files, filepath.Join(config, "pip", name))
	}
	if environment := os.Getenv("VIRTUAL_ENV"); environment != "" {
		files = append(files, filepath.Join(environment, name))
	}
	if only != "" {
		files = append(files, only)
	}
	return files
}

// parsePipFile reads the INI dialect of Python's configparser as far as pip's files use it: section, key, value.
// A value may go on in indented lines. Keys are lower case with dashes. It accepts any bytes.
func parsePipFile(text []byte) map[string]map[string]string {
	sections := map[string]map[string]string{}
	var section, key string
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		line := lines.Text()
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';':
		case trimmed[0] == '[':
			section, key = strings.Trim(trimmed, "[]"), ""
			if sections[section] == nil {
				sections[section] = map[string]string{}
			}
		case (line[0] == ' ' || line[0] == '\t') && key != "":
			sections[section][key] = strings.TrimSpace(sections[section][key] + " " + trimmed)
		default:
			split := strings.IndexAny(trimmed, "=:")
			if split <= 0 || sections[section] == nil {
				key = ""
				continue
			}
			key = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(trimmed[:split])), "_", "-")
			sections[section][key] = strings.TrimSpace(trimmed[split+1:])
		}
	}
	return sections
}
