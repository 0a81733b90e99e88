package backends

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"
)

// choice is one backend to open.
type choice struct {
	// kind is "xla", "go", or the name of a backend that the program registered itself.
	kind string
	// plugin of XLA: "cuda", "cpu", another one's name, or an absolute path.
	plugin string
	// options of the backend in its own syntax, separated by commas.
	options string
}

// candidates returns what to try, the fastest first, and who chose it: the caller, the environment, or nobody.
func candidates(asked string) (choices []choice, from string, err error) {
	if asked != "" {
		choices, err = parse(asked)
		return choices, "asked for by the caller", err
	}
	if named := os.Getenv(compute.ConfigEnvVar); named != "" {
		choices, err = parse(named)
		return choices, "named by " + compute.ConfigEnvVar, err
	}
	choices = []choice{{kind: "xla", plugin: "cuda"}, {kind: "xla", plugin: "cpu"}, {kind: "go"}}
	return choices, "the fastest that works here", nil
}

// parse reads GoMLX's syntax "name:options"; XLA's first option is the plugin, and without one the best is meant.
func parse(spec string) ([]choice, error) {
	kind, options, _ := strings.Cut(strings.TrimSpace(spec), ":")
	switch kind {
	case "go":
		if slices.Contains(strings.Split(options, ","), "ops_parallel") {
			return nil, fmt.Errorf("backends: %q: the pure Go backend deadlocks in parallel mode: %w", spec, ErrOptions)
		}
		return []choice{{kind: kind, options: options}}, nil
	case "xla", "stablehlo", "hlo", "shlo":
		plugin, options, _ := strings.Cut(options, ",")
		if plugin != "" {
			return []choice{{kind: "xla", plugin: plugin, options: options}}, nil
		}
		return []choice{{"xla", "cuda", options}, {"xla", "cpu", options}}, nil
	}
	if !slices.Contains(compute.List(), kind) {
		return nil, fmt.Errorf("backends: %q: unknown backend, want xla:cuda, xla:cpu or go: %w", spec, ErrOptions)
	}
	return []choice{{kind: kind, options: options}}, nil
}

// name as Runtime.Name has it.
func (c choice) name() string {
	if c.kind != "xla" {
		return c.kind
	}
	plugin := c.plugin
	if filepath.IsAbs(plugin) {
		plugin = pluginName(plugin)
	}
	// Versions are no part of a name: "cpu_v0.98.0" computes what "cpu" does.
	plugin, _, _ = strings.Cut(plugin, "_v")
	return "xla:" + plugin
}

// share is that of a card's memory which XLA may take.
func (c choice) share(o Options) float64 {
	for option := range strings.SplitSeq(c.options, ",") {
		if value, ok := strings.CutPrefix(option, "memory_fraction="); ok {
			if share, err := strconv.ParseFloat(value, 64); err == nil && share > 0 {
				return share
			}
		}
	}
	return cmp.Or(o.Preallocate, cardShare)
}

// open opens the backend; detail says with what, for people.
func (c choice) open(ctx context.Context, o Options) (b compute.Backend, detail string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	if o.Device != 0 && c.name() != "xla:cuda" {
		return nil, "", fmt.Errorf("%w: it has no device %d", ErrUnavailable, o.Device)
	}
	switch c.kind {
	case "xla":
		return openXLA(ctx, c, o)
	case "go":
		b, err = gobackend.New(strings.Trim(c.options+",ops_sequential", ","))
		detail = "needs nothing but Go; one operation at a time"
	default:
		// Programs may bring backends of their own, and GoMLX panics with a bad configuration.
		if panicked := Try(func() { b, err = compute.NewWithConfig(c.kind + ":" + c.options) }); panicked != nil {
			err = panicked
		}
		detail = "registered by the program"
	}
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return b, detail, nil
}
