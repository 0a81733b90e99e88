package sana

import (
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

	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
	"github.com/dualprocess/dualprocess-go/lora"
)

// layersOf lists what can be adapted, from a graph that is thrown away.
func layersOf(t *testing.T, r *reference, g *Generator) []lora.Layer {
	graph := NewGraph(r.rt.Backend, "layers")
	defer graph.Finalize()
	model.SetStore(graph, r.rt.Store)
	noise, err := g.Latents(0)
	require.NoError(t, err)
	var cond []*Node
	for k, x := range r.cond(t, g) {
		cond = append(cond, Parameter(graph, "cond"+strconv.Itoa(k), x.Shape()))
	}
	recorder := lora.Record()
	g.Predict(recorder.Delta(), Parameter(graph, "latents", noise.Shape()), Parameter(graph, "i", shapes.Make(dtypes.Int32)), cond)
	return recorder.Layers()
}

// adapter is the fixture's start adapter, on the targets that we suggest.
func (r *reference) adapter(t *testing.T, g *Generator) *lora.Adapter {
	preset := g.Preset()
	require.ElementsMatch(t, r.about.Spec.Targets, preset.Targets)
	require.Equal(t, r.about.Spec.LearningRate, preset.LearningRate)
	a, err := lora.New(lora.Config{Rank: r.about.Spec.Rank, Alpha: r.about.Lora.Alpha, Targets: preset.Targets}, layersOf(t, r, g))
	require.NoError(t, err)
	a, err = a.WithParams(r.tensorsOf(t, "in.lora/", a))
	require.NoError(t, err)
	var names []string
	for _, l := range a.Layers() {
		names = append(names, l.Name)
	}
	require.ElementsMatch(t, r.about.Lora.Modules, names)
	return a
}

// tensorsOf returns the fixture's tensors for all of an adapter's, in their order.
func (r *reference) tensorsOf(t *testing.T, prefix string, a *lora.Adapter) []*tensors.Tensor {
	var list []*tensors.Tensor
	for _, l := range a.Layers() {
		list = append(list, r.Tensor(t, prefix+l.Name+".lora_A.weight"), r.Tensor(t, prefix+l.Name+".lora_B.weight"))
	}
	return list
}

// testLora compares pictures made with the adapter in memory and from the files
// that diffusers wrote, at several weights.
func (r *reference) testLora(t *testing.T) {
	g := r.open(t, r.paper(r.sampledSteps(t), r.about.Spec.Guidance))
	start := r.adapter(t, g)
	layers := layersOf(t, r, g)
	scaling := float32(r.about.Lora.Alpha) / float32(r.about.Spec.Rank)
	r.Compare(t, "lora.with_metadata.peft_scaling", []float32{scaling}, 0)
	r.Compare(t, "lora.plain.peft_scaling", []float32{1}, 0)

	s := r.sampler(t, g, start)
	for key, weight := range r.weights("lora.inmem.w") {
		t.Run(key, func(t *testing.T) {
			_, picture := s.run(t, r, float32(weight), start.Params())
			r.Compare(t, key, picture, tolerance)
		})
	}
	plain := r.load(t, "lora/plain/pytorch_lora_weights.safetensors", layers, start)
	p := r.sampler(t, g, plain)
	for key, weight := range r.weights("lora.plain.scale") {
		t.Run(key, func(t *testing.T) {
			_, picture := p.run(t, r, float32(weight), plain.Params())
			r.Compare(t, key, picture, tolerance)
		})
	}
	r.load(t, "lora/reference_state_dict.safetensors", layers, start)
	r.write(t, start)
	t.Run("with_metadata", func(t *testing.T) { // the alpha of which makes it the one in memory
		a := r.load(t, "lora/with_metadata/pytorch_lora_weights.safetensors", layers, start)
		require.Equal(t, start.WithWeight(1), a)
	})
	t.Run("own file", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "own.safetensors")
		require.NoError(t, start.Save(path, lora.SaveOptions{}))
		again, err := lora.Load(path, layers)
		require.NoError(t, err)
		require.Equal(t, start, again)
	})
	t.Run("depthwise in groups", func(t *testing.T) { r.testGrouped(t, layers) })
}

// testGrouped sees to it that the other form in which a depthwise convolution could
// be adapted, by a kernel in groups, is refused by name.
func (r *reference) testGrouped(t *testing.T, layers []lora.Layer) {
	for _, l := range layers {
		if !strings.HasSuffix(l.Name, "conv_depth") {
			continue
		}
		rank, name := r.about.Spec.Rank, "transformer."+l.Name
		path := filepath.Join(t.TempDir(), "grouped.safetensors")
		require.NoError(t, safetensors.WriteFile(path, []safetensors.Tensor{
			safetensors.FromFloat32s(name+".lora_A.weight", make([]float32, rank*9), rank, 1, 3, 3),
			safetensors.FromFloat32s(name+".lora_B.weight", make([]float32, rank*l.Out), l.Out, rank, 1, 1),
		}, nil))
		_, err := lora.Load(path, layers)
		require.ErrorIs(t, err, lora.ErrMismatch)
		require.ErrorContains(t, err, l.Name)
		return
	}
	require.Fail(t, "no depthwise convolution can be adapted")
}

// adaptersEnv names a folder to write adapters to, for check_adapters.py in
// internal/golden; none by default.
const adaptersEnv = "DUALPROCESS_ADAPTERS"

// write saves the start adapter in all ways that there are.
func (r *reference) write(t *testing.T, start *lora.Adapter) {
	root := os.Getenv(adaptersEnv)
	if root == "" {
		return
	}
	folder := filepath.Join(root, filepath.FromSlash(r.Name))
	require.NoError(t, os.MkdirAll(folder, 0o755))
	for name, o := range map[string]lora.SaveOptions{"diffusers": {}, "baked": {Baked: true}} {
		require.NoError(t, start.Save(filepath.Join(folder, name+".safetensors"), o))
	}
}

// weights are the pictures' keys with a prefix and the weight that each names.
func (r *reference) weights(prefix string) map[string]float64 {
	found := map[string]float64{}
	for _, key := range r.Keys() {
		if rest, ok := strings.CutPrefix(key, prefix); ok {
			found[key] = number(strings.TrimSuffix(rest, ".image_raw"))
		}
	}
	return found
}

// load reads an adapter file, which must hold the start adapter bit for bit.
func (r *reference) load(t *testing.T, file string, layers []lora.Layer, start *lora.Adapter) *lora.Adapter {
	a, err := lora.Load(r.Path(file), layers)
	require.NoError(t, err)
	require.Equal(t, start.Layers(), a.Layers())
	want := start.Params()
	for k, p := range a.Params() {
		require.Equal(t, tensors.MustCopyFlatData[float32](want[k]), tensors.MustCopyFlatData[float32](p))
	}
	return a
}

func number(text string) float64 {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		panic(err)
	}
	return n
}

// closeTo is golden.Close for a tensor.
func closeTo(got []float32, want *tensors.Tensor, tolerance float64) error {
	return golden.Close(got, tensors.MustCopyFlatData[float32](want), tolerance)
}
