package flux

import (
	"fmt"
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
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/lora"
)

// layersOf lists what can be adapted, from a graph that is thrown away.
func layersOf(t *testing.T, r *reference, g *Generator) []lora.Layer {
	graph := NewGraph(r.rt.Backend, "layers")
	defer graph.Finalize()
	model.SetStore(graph, r.rt.Store)
	noise, err := g.Latents(0)
	require.NoError(t, err)
	cond := []*Node{Parameter(graph, "text", r.cond[0].Shape()), Parameter(graph, "pooled", r.cond[1].Shape())}
	recorder := lora.Record()
	g.Predict(recorder.Delta(), Parameter(graph, "latents", noise.Shape()), Parameter(graph, "i", shapes.Make(dtypes.Int32)), cond)
	return recorder.Layers()
}

// adapter is the fixture's start adapter, on the targets that we suggest.
func (r *reference) adapter(t *testing.T, g *Generator) *lora.Adapter {
	targets := g.Preset().Targets
	require.ElementsMatch(t, r.about.Spec.Targets, targets)
	a, err := lora.New(lora.Config{Rank: r.about.Spec.Rank, Alpha: r.about.Lora.Alpha, Targets: targets}, layersOf(t, r, g))
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

// sampledSteps is the number of steps of the pictures that the fixture made with
// adapters: that of its one sampling whose picture is also stored in 8-bit range.
func (r *reference) sampledSteps(t *testing.T) int {
	for steps := range 100 {
		for _, key := range r.Keys() {
			if key == fmt.Sprintf("sample.ref.n%d.image01", steps) {
				return steps
			}
		}
	}
	require.Fail(t, "no sample.ref.n*.image01")
	return 0
}

// testLora compares pictures made with the adapter in memory and from the files
// that diffusers wrote, at several weights.
func (r *reference) testLora(t *testing.T) {
	g := r.open(t, Options{Steps: r.sampledSteps(t), StaticShift: true, Guidance: r.guided(t, r.about.Spec.Guidance)})
	start := r.adapter(t, g)
	layers := layersOf(t, r, g)
	scaling := float32(r.about.Lora.Alpha) / float32(r.about.Spec.Rank)
	r.Compare(t, "lora.with_metadata.peft_scaling", []float32{scaling}, 0)
	r.Compare(t, "lora.plain.peft_scaling", []float32{1}, 0)

	s := r.sampler(t, g, start)
	for key, weight := range r.weights("lora.inmem.w") {
		t.Run(key, func(t *testing.T) {
			_, picture := s.run(t, r, start, weight)
			r.Compare(t, key, picture, tolerance)
		})
	}
	plain := r.load(t, "lora/plain/pytorch_lora_weights.safetensors", layers, start)
	p := r.sampler(t, g, plain)
	for key, weight := range r.weights("lora.plain.scale") {
		t.Run(key, func(t *testing.T) {
			_, picture := p.run(t, r, plain, weight)
			r.Compare(t, key, picture, tolerance)
		})
	}
	r.load(t, "lora/reference_state_dict.safetensors", layers, start)
	r.write(t, g, start)
	t.Run("kohya", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "kohya.safetensors")
		require.NoError(t, start.Save(path, lora.SaveOptions{Fused: g.Published()}))
		again, err := lora.Load(path, layers, g.Published()...)
		require.NoError(t, err)
		require.Equal(t, start, again)
	})
	t.Run("with_metadata", func(t *testing.T) {
		a := r.load(t, "lora/with_metadata/pytorch_lora_weights.safetensors", layers, start)
		_, picture := r.sampler(t, g, a).run(t, r, a, 1)
		r.Compare(t, "lora.inmem.w1.image_raw", picture, tolerance)
	})
}

// adaptersEnv names a folder to write adapters to, for check_adapters.py in
// internal/golden; none by default.
const adaptersEnv = "DUALPROCESS_ADAPTERS"

// write saves the start adapter in all ways that there are.
func (r *reference) write(t *testing.T, g *Generator, start *lora.Adapter) {
	root := os.Getenv(adaptersEnv)
	if root == "" {
		return
	}
	folder := filepath.Join(root, filepath.FromSlash(r.Name))
	require.NoError(t, os.MkdirAll(folder, 0o755))
	for name, o := range map[string]lora.SaveOptions{
		"diffusers":   {},
		"baked":       {Baked: true},
		"kohya":       {Fused: g.Published()},
		"kohya_baked": {Fused: g.Published(), Baked: true},
	} {
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

// testLatentGradients compares gradients with respect to the start noise: through
// one clean estimate, and through two steps of the sampler.
func (r *reference) testLatentGradients(t *testing.T) {
	for name, steps := range map[string]int{"x0": r.about.Spec.Steps, "unroll2": 2} {
		t.Run(name, func(t *testing.T) {
			g := r.open(t, Options{Steps: steps, StaticShift: true, Guidance: r.guided(t, r.about.Spec.TrainGuidance)})
			prefix := "latgrad." + name + "."
			if name == "unroll2" {
				r.Compare(t, prefix+"timesteps", g.schedule.times[:2], 1e-6)
			}
			got := golden.Run(t, r.rt, func(p *nn.Probe, in []*Node) {
				start, target, cond := in[0], in[1], in[2:]
				x, i := start, Const(start.Graph(), int32(0))
				if name == "x0" {
					x = g.Clean(x, g.Predict(nil, x, i, cond), i)
				} else {
					x = g.Step(x, g.Predict(nil, x, i, cond), i)
					i = OnePlus(i)
					x = g.Step(x, g.Predict(nil, x, i, cond), i)
				}
				picture := p.See("image", pictureOf(g, x))
				loss := p.See("loss", ReduceAllMean(Square(Sub(picture, target))))
				p.See("grad", Gradient(loss, start)[0])
			}, r.Tensor(t, "in.latents"), r.Tensor(t, "in.target"), r.cond[0], r.cond[1])
			r.Compare(t, prefix+"image", got.Floats(t, "image"), tolerance)
			r.Compare(t, prefix+"loss", got.Floats(t, "loss"), tolerance)
			r.Compare(t, prefix+"grad", got.Floats(t, "grad"), gradientTolerance)
		})
	}
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

// TestPublished sees to it that every layer has a published name, but for the one
// whose halves are swapped, and only one.
func TestPublished(t *testing.T) {
	for _, f := range golden.Fixtures(t, golden.Generator) {
		r := &reference{Fixture: f, rt: golden.Runtime(t)}
		f.Decode(t, &r.about)
		if r.about.Spec.Family != "flux" {
			continue
		}
		g := r.open(t, Options{})
		known := map[lora.Layer]string{}
		for _, fused := range g.Published() {
			for _, l := range fused.Layers {
				require.NotContains(t, known, l)
				known[l] = fused.Name
			}
		}
		for _, l := range layersOf(t, r, g) {
			if l.Name != "norm_out.linear" {
				require.Contains(t, known, l)
				delete(known, l)
			}
		}
		require.Empty(t, known, "there are no such layers")
	}
}
