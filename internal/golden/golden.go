// Package golden finds fixtures, numbers that other implementations computed, and
// compares ours with them. It is for tests.
//
// A fixture is a folder with golden.json (what was computed) and
// golden.safetensors (the numbers), or with golden_<variant>.json and so on for
// several about one folder. They are looked for under the project's own
// testdata/ beside this file and under every folder named in the environment
// variable DUALPROCESS_FIXTURES, separated as PATH is, so that anybody can check
// the project against fixtures of their own:
//
//	DUALPROCESS_FIXTURES=/path/to/fixtures go test -run TestGolden ./...
//
// A fixture that is found is either compared or a failure; none is skipped
// because nobody knew it.
package golden

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

// Env names the environment variable that lists more folders of fixtures.
const Env = "DUALPROCESS_FIXTURES"

// Kind is what a fixture is about.
type Kind string

// The kinds of fixtures.
const (
	Overlay   Kind = "overlay"   // blending a picture over images
	Generator Kind = "generator" // one image generator
	Verifier  Kind = "verifier"  // one vision-language model
	EndToEnd  Kind = "end to end"
	TwoTowers Kind = "two towers" // one model that brings pictures and texts to vectors
)

// Fixture is one folder of numbers.
type Fixture struct {
	Name   string // short, for naming subtests
	Folder string
	JSON   []byte // golden.json

	stem    string // of the files' names, "golden" or "golden_<variant>"
	tensors *safetensors.File
	read    map[string]bool // keys that a test asked for
}

// Fixtures returns all fixtures of a kind; the project's own testdata has to hold
// at least one. The test fails if any fixture, of whatever kind, cannot be
// recognised, or if a folder named in the environment has none.
func Fixtures(t testing.TB, kind Kind) []*Fixture {
	t.Helper()
	own, err := ownFolder()
	require.NoError(t, err)
	roots := append([]string{own}, filepath.SplitList(os.Getenv(Env))...)
	var found []*Fixture
	for _, root := range roots {
		files, err := find(root, isGolden)
		require.NoError(t, err)
		for _, file := range files {
			f, err := read(file)
			require.NoError(t, err)
			if k, err := kindOf(f.JSON); err != nil {
				require.NoError(t, err, file)
			} else if k == kind {
				f.Name = name(root, f)
				found = append(found, f)
			}
		}
	}
	require.NotEmpty(t, found, "no %s fixtures", kind)
	for _, f := range found {
		f.open(t)
	}
	return found
}

// ownFolder finds the project's testdata from the folder of the test that runs,
// which lies in the project.
func ownFolder() (string, error) {
	at, err := os.Getwd()
	for ; err == nil; at = filepath.Dir(at) {
		own := filepath.Join(at, "internal", "golden", "testdata")
		if _, err := os.Stat(filepath.Join(own, "go.mod")); err == nil {
			return own, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("golden: internal/golden/testdata lies above no folder of this test: %w", fs.ErrNotExist)
		}
	}
	return "", fmt.Errorf("golden: %w", err)
}

// isGolden says whether a file says what a fixture is about.
func isGolden(name string) bool {
	variant, ok := strings.CutPrefix(strings.TrimSuffix(name, ".json"), goldenStem)
	return ok && strings.HasSuffix(name, ".json") && (variant == "" || variant[0] == '_')
}

const goldenStem = "golden"

// find returns the files under root whose names are wanted.
func find(root string, wanted func(name string) bool) ([]string, error) {
	var files []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && wanted(d.Name()) {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("golden: looking for fixtures: %w", err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("golden: no fixtures under %s: %w", root, fs.ErrNotExist)
	}
	return files, nil
}

func read(file string) (*Fixture, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("golden: %w", err)
	}
	folder, base := filepath.Split(file)
	return &Fixture{Folder: filepath.Clean(folder), JSON: data, stem: strings.TrimSuffix(base, ".json")}, nil
}

// name is short and tells fixtures of several roots apart.
func name(root string, f *Fixture) string {
	inside, err := filepath.Rel(root, f.Folder)
	if err != nil || inside == "." {
		inside = filepath.Base(f.Folder)
	}
	if variant, ok := strings.CutPrefix(f.stem, goldenStem); ok {
		return filepath.ToSlash(inside) + variant
	}
	return filepath.ToSlash(filepath.Join(inside, f.stem))
}

// kindOf recognises a fixture by the fields of its golden.json.
func kindOf(data []byte) (Kind, error) {
	var g struct {
		Cases map[string]struct {
			OverlayPNG string `json:"overlay_png"`
		}
		Spec *struct {
			Family string
		}
		Name, Model, Generator string
		Projection             int
	}
	if err := json.Unmarshal(data, &g); err != nil {
		return "", fmt.Errorf("golden: golden.json: %w", err)
	}
	for _, c := range g.Cases {
		if c.OverlayPNG != "" {
			return Overlay, nil
		}
	}
	switch {
	case g.Generator != "":
		return EndToEnd, nil
	case g.Spec != nil && g.Spec.Family != "":
		return Generator, nil
	case g.Name != "" && g.Model != "" && len(g.Cases) > 0:
		return Verifier, nil
	case g.Projection > 0:
		return TwoTowers, nil
	}
	return "", fmt.Errorf("golden: golden.json is of no known kind")
}

func (f *Fixture) open(t testing.TB) {
	t.Helper()
	file, err := safetensors.OpenFile(filepath.Join(f.Folder, f.stem+".safetensors"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, file.Close()) })
	f.tensors, f.read = file, map[string]bool{}
}

// Decode reads golden.json into v, as json.Unmarshal does.
func (f *Fixture) Decode(t testing.TB, v any) {
	t.Helper()
	require.NoError(t, json.Unmarshal(f.JSON, v), f.Folder)
}

// Path returns the path of a file of the fixture.
func (f *Fixture) Path(file string) string { return filepath.Join(f.Folder, filepath.FromSlash(file)) }

// Keys returns the names of all tensors.
func (f *Fixture) Keys() []string {
	var keys []string
	for _, info := range f.tensors.Tensors() {
		keys = append(keys, info.Name)
	}
	return keys
}

// Unread returns the keys that no test has asked for, in order.
func (f *Fixture) Unread() []string {
	return slices.DeleteFunc(f.Keys(), func(key string) bool { return f.read[key] })
}

// Floats returns a tensor's elements, row-major, and its shape; a missing one
// fails the test.
func (f *Fixture) Floats(t testing.TB, key string) ([]float32, []int) {
	t.Helper()
	f.read[key] = true
	values, err := f.tensors.Float32s(key)
	require.NoError(t, err, f.Folder)
	info, _ := f.tensors.Info(key)
	return values, info.Shape
}

// Compare fails the test unless got is the tensor named key: as many elements,
// and max|got-want| at most tolerance times max|want|.
func (f *Fixture) Compare(t testing.TB, key string, got []float32, tolerance float64) {
	t.Helper()
	want, _ := f.Floats(t, key)
	require.NoError(t, Close(got, want, tolerance), "%s of %s", key, f.Folder)
}

// Close returns an error unless got has the length of want and differs from it
// by at most tolerance times the largest element of want.
func Close(got, want []float32, tolerance float64) error {
	if len(got) != len(want) {
		return fmt.Errorf("golden: %d elements instead of %d", len(got), len(want))
	}
	largest, worst, at := 0., 0., 0
	for i, w := range want {
		largest = max(largest, math.Abs(float64(w)))
		if d := math.Abs(float64(got[i]) - float64(w)); !(d <= worst) { // NaN is worst of all
			worst, at = d, i
		}
		if math.IsNaN(worst) {
			break
		}
	}
	if worst <= tolerance*largest {
		return nil
	}
	return fmt.Errorf("golden: element %d of %d is %v instead of %v: off by %.2g of the largest, %.3g; allowed %.2g",
		at, len(want), got[at], want[at], worst/largest, largest, tolerance)
}

// Distance is the norm of the difference over the norm of want.
func Distance(want, got []float32) (float64, error) {
	if len(want) != len(got) {
		return 0, fmt.Errorf("golden: %d elements instead of %d", len(got), len(want))
	}
	var difference, norm float64
	for i, w := range want {
		d := float64(got[i]) - float64(w)
		difference, norm = difference+d*d, norm+float64(w)*float64(w)
	}
	return math.Sqrt(difference / norm), nil
}

// Groups sorts keys by what stands before the first dot.
func Groups(keys []string) map[string][]string {
	groups := map[string][]string{}
	for _, k := range keys {
		group, _, _ := strings.Cut(k, ".")
		groups[group] = append(groups[group], k)
	}
	return groups
}
