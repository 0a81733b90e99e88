package lora

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/support/exceptions"
)

// Layer is a layer of a generator that can be adapted.
type Layer struct {
	// Name is the layer's name in the checkpoint, such as
	// "transformer_blocks.0.attn.to_q".
	Name string
	// In and Out are the layer's features, or channels, at least 1.
	In, Out int
	// Kernel is the height and width of a convolution's kernel; zero is a linear
	// layer.
	Kernel [2]int
}

// IsConv tells a convolution from a linear layer.
func (l Layer) IsConv() bool { return l.Kernel != [2]int{} }

// String describes the layer: "to_q 64→64", "conv 3×3 32→64".
func (l Layer) String() string {
	if l.IsConv() {
		return fmt.Sprintf("%s %d×%d %d→%d", l.Name, l.Kernel[0], l.Kernel[1], l.In, l.Out)
	}
	return fmt.Sprintf("%s %d→%d", l.Name, l.In, l.Out)
}

// fanIn is the length of a row of A: how many numbers make one output.
func (l Layer) fanIn() int {
	if l.IsConv() {
		return l.In * l.Kernel[0] * l.Kernel[1]
	}
	return l.In
}

func (l Layer) check() error {
	sound := l.Name != "" && l.In >= 1 && l.Out >= 1
	if l.IsConv() {
		sound = sound && l.Kernel[0] >= 1 && l.Kernel[1] >= 1
	}
	if !sound {
		return fmt.Errorf("%w: layer %q is impossible", ErrConfig, l)
	}
	return nil
}

// Recorder collects the layers that a generator passes through its Delta while
// a graph is built, which need not be compiled. The zero value is an empty one.
type Recorder struct {
	layers map[string]Layer
}

// Record returns an empty Recorder.
func Record() *Recorder { return &Recorder{} }

// Delta returns a Delta that adds nothing and records what it is asked for.
func (r *Recorder) Delta() *Delta { return &Delta{recorder: r} }

// Layers returns what was recorded, sorted by name. A layer that was called
// several times appears once.
func (r *Recorder) Layers() []Layer {
	if r == nil {
		return nil
	}
	return slices.SortedFunc(maps.Values(r.layers), func(a, b Layer) int { return cmp.Compare(a.Name, b.Name) })
}

// add panics when a name stands for two different layers: they would share one
// A and B.
func (r *Recorder) add(l Layer) {
	if l.Name == "" {
		exceptions.Panicf("lora: a layer has no name")
	}
	if known, ok := r.layers[l.Name]; ok && known != l {
		exceptions.Panicf("lora: layer %q is both %s and %s", l.Name, known, l)
	}
	if r.layers == nil {
		r.layers = map[string]Layer{}
	}
	r.layers[l.Name] = l
}

// Fits returns an error that wraps [ErrMismatch] and names the layer unless
// every layer of the adapter is one of those given. A layer that no generator
// asks for would be lost without a word.
func (a *Adapter) Fits(layers []Layer) error {
	if err := fit(a.list(), layers); err != nil {
		return fmt.Errorf("lora: %w", err)
	}
	return nil
}

func fit(parts []part, layers []Layer) error {
	known := byName(layers)
	for _, p := range parts {
		if err := p.fits(known); err != nil {
			return err
		}
	}
	return nil
}

func (l Layer) fits(known map[string]Layer) error {
	want, ok := known[l.Name]
	switch {
	case !ok:
		names := slices.Collect(maps.Keys(known))
		return fmt.Errorf("%w: there is no layer %q; nearest: %s", ErrMismatch, l.Name, quoted(nearest(l.Name, names)))
	case want != l:
		return fmt.Errorf("%w: adapter for %s, layer is %s", ErrMismatch, l, want)
	}
	return nil
}

func byName(layers []Layer) map[string]Layer {
	m := make(map[string]Layer, len(layers))
	for _, l := range layers {
		m[l.Name] = l
	}
	return m
}

func quoted(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return `"` + strings.Join(names, `", "`) + `"`
}
