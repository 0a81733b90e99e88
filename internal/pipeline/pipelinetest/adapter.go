package pipelinetest

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/lora"
)

// Layers lists what can be adapted, from a graph that is thrown away.
func Layers(t testing.TB, rt *backends.Runtime, g Generator, cond dualprocess.Inputs) []lora.Layer {
	graph := NewGraph(rt.Backend, "layers")
	defer graph.Finalize()
	model.SetStore(graph, rt.Store)
	noise, err := g.Latents(0)
	require.NoError(t, err)
	var nodes []*Node
	for k, x := range cond {
		nodes = append(nodes, Parameter(graph, "cond"+strconv.Itoa(k), x.Shape()))
	}
	recorder := lora.Record()
	g.Predict(recorder.Delta(), Parameter(graph, "latents", noise.Shape()), Parameter(graph, "i", shapes.Make(dtypes.Int32)), nodes)
	return recorder.Layers()
}

// Adapter is the fixture's start adapter, on the targets that the generator
// suggests, and more if the fixture extends them.
func (r *Reference) Adapter(t *testing.T, g Generator, cond dualprocess.Inputs) *lora.Adapter {
	preset, targets := g.Preset(), r.About.Spec.Targets
	if r.Extends {
		require.Subset(t, targets, preset.Targets)
	} else {
		require.ElementsMatch(t, targets, preset.Targets)
	}
	layers := Layers(t, r.Runtime, g, cond)
	a, err := lora.New(lora.Config{Rank: r.About.Spec.Rank, Alpha: r.About.Lora.Alpha, Targets: targets, Prefix: preset.Prefix}, layers)
	require.NoError(t, err)
	a, err = a.WithParams(r.tensorsOf(t, "in.lora/", a))
	require.NoError(t, err)
	var names []string
	for _, l := range a.Layers() {
		names = append(names, l.Name)
	}
	require.ElementsMatch(t, r.About.Lora.Modules, names)
	return a
}

// tensorsOf returns the fixture's tensors for all of an adapter's, in their order.
func (r *Reference) tensorsOf(t *testing.T, prefix string, a *lora.Adapter) []*tensors.Tensor {
	var list []*tensors.Tensor
	for _, l := range a.Layers() {
		list = append(list, r.Tensor(t, prefix+l.Name+".lora_A.weight"), r.Tensor(t, prefix+l.Name+".lora_B.weight"))
	}
	return list
}

// CompareScaling compares what an adapter with metadata is multiplied by.
func (r *Reference) CompareScaling(t *testing.T) {
	scaling := float32(r.About.Lora.Alpha) / float32(r.About.Spec.Rank)
	r.Compare(t, "lora.with_metadata.peft_scaling", []float32{scaling}, 0)
}

// ComparePictures compares the pictures of all keys with a prefix, which is followed
// by the adapter's weight, in subtests of their names and a suffix.
func (r *Reference) ComparePictures(t *testing.T, s *Sampler, a *lora.Adapter, prefix, suffix string) {
	for _, key := range r.Keys() {
		rest, ok := strings.CutPrefix(key, prefix)
		if !ok {
			continue
		}
		t.Run(key+suffix, func(t *testing.T) {
			_, picture := s.Run(t, a, Number(strings.TrimSuffix(rest, ".image_raw")))
			r.Compare(t, key, picture, r.Tolerance)
		})
	}
}

// Load reads an adapter file, which must hold the start adapter bit for bit.
func (r *Reference) Load(t *testing.T, file string, layers []lora.Layer, start *lora.Adapter) *lora.Adapter {
	a, err := lora.Load(r.Path(file), layers)
	require.NoError(t, err)
	require.Equal(t, start.Layers(), a.Layers())
	want := start.Params()
	for k, p := range a.Params() {
		require.Equal(t, tensors.MustCopyFlatData[float32](want[k]), tensors.MustCopyFlatData[float32](p))
	}
	return a
}

// RoundTrip saves an adapter, which must come back as it was.
func RoundTrip(t *testing.T, a *lora.Adapter, o lora.SaveOptions, layers []lora.Layer) {
	path := filepath.Join(t.TempDir(), "own.safetensors")
	require.NoError(t, a.Save(path, o))
	again, err := lora.Load(path, layers)
	require.NoError(t, err)
	require.Equal(t, a, again)
}

// adaptersEnv names a folder to write adapters to, for check_adapters.py in
// internal/golden; none by default.
const adaptersEnv = "DUALPROCESS_ADAPTERS"

// Write saves an adapter in several ways, by the name of the file, if the
// environment asks for it.
func (r *Reference) Write(t *testing.T, a *lora.Adapter, ways map[string]lora.SaveOptions) {
	r.write(t, "", a, ways)
}

// WriteSame does so with an adapter of random numbers for the named layers, of which
// the fixture has no picture: the files must do the same as one another.
func (r *Reference) WriteSame(t *testing.T, c lora.Config, layers []lora.Layer, ways map[string]lora.SaveOptions) {
	a, err := lora.New(c, layers)
	require.NoError(t, err)
	rng, params := rand.New(rand.NewPCG(3, 4)), a.Params()
	for k := 1; k < len(params); k += 2 {
		params[k] = Noise(rng, 0.05, params[k].Shape().Dimensions...)
	}
	a, err = a.WithParams(params)
	require.NoError(t, err)
	r.write(t, "same", a.WithWeight(1), ways)
}

// write saves an adapter in several ways into a folder below the fixture's.
func (r *Reference) write(t *testing.T, below string, a *lora.Adapter, ways map[string]lora.SaveOptions) {
	root := os.Getenv(adaptersEnv)
	if root == "" {
		return
	}
	folder := filepath.Join(root, filepath.FromSlash(r.Name), below)
	require.NoError(t, os.MkdirAll(folder, 0o755))
	for name, o := range ways {
		require.NoError(t, a.Save(filepath.Join(folder, name+".safetensors"), o))
	}
}

// Number is a number as the fixtures' keys have it.
func Number(text string) float64 {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		panic(err)
	}
	return n
}

// Noise is Gaussian noise of a standard deviation.
func Noise(rng *rand.Rand, deviation float64, dims ...int) *tensors.Tensor {
	x := tensors.FromShape(shapes.Make(dtypes.Float32, dims...))
	tensors.MustMutableFlatData(x, func(values []float32) {
		for i := range values {
			values[i] = float32(deviation * rng.NormFloat64())
		}
	})
	return x
}
