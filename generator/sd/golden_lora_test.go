package sd

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
func (r *reference) layersOf(t *testing.T, g *Generator) []lora.Layer {
	graph := NewGraph(r.rt.Backend, "layers")
	defer graph.Finalize()
	model.SetStore(graph, r.rt.Store)
	noise, err := g.Latents(0)
	require.NoError(t, err)
	var cond []*Node
	for k, x := range r.conditions(t, g) {
		cond = append(cond, Parameter(graph, fmt.Sprintf("cond%d", k), x.Shape()))
	}
	recorder := lora.Record()
	g.Predict(recorder.Delta(), Parameter(graph, "latents", noise.Shape()), Parameter(graph, "i", shapes.Make(dtypes.Int32)), cond)
	return recorder.Layers()
}

// adapter is the fixture's start adapter, on the targets that we suggest.
func (r *reference) adapter(t *testing.T, g *Generator) *lora.Adapter {
	targets := g.Preset().Targets
	require.ElementsMatch(t, r.about.Spec.Targets, targets)
	a, err := lora.New(lora.Config{Rank: r.about.Spec.Rank, Alpha: r.about.Lora.Alpha, Targets: targets}, r.layersOf(t, g))
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
	for steps := range 1000 {
		if r.has(fmt.Sprintf("sample.ref.n%d.image01", steps)) {
			return steps
		}
	}
	require.Fail(t, "no sample.ref.n*.image01")
	return 0
}

// has says whether the fixture holds a key; ours are without some large ones.
func (r *reference) has(key string) bool {
	for _, k := range r.Keys() {
		if k == key {
			return true
		}
	}
	return false
}

// testLora compares pictures made with the adapter in memory and from the files
// that diffusers wrote, at several weights.
func (r *reference) testLora(t *testing.T) {
	g := r.open(t, Options{Steps: r.sampledSteps(t), Guidance: &r.about.Spec.Guidance})
	start, layers := r.adapter(t, g), r.layersOf(t, g)
	scaling := float32(r.about.Lora.Alpha) / float32(r.about.Spec.Rank)
	r.Compare(t, "lora.with_metadata.peft_scaling", []float32{scaling}, 0)

	s := r.sampler(t, g, start)
	for key, weight := range r.weights("lora.inmem.w") {
		t.Run(key, func(t *testing.T) {
			_, picture := s.run(t, r, start, weight)
			r.Compare(t, key, picture, tolerance)
		})
	}
	for _, name := range []string{"plain", "old_keys"} {
		r.Compare(t, "lora."+name+".peft_scaling", []float32{1}, 0)
		a := r.load(t, "lora/"+name+"/pytorch_lora_weights.safetensors", layers, start)
		p := r.sampler(t, g, a)
		for key, weight := range r.weights("lora.plain.scale") {
			t.Run(key+" "+name, func(t *testing.T) {
				_, picture := p.run(t, r, a, weight)
				r.Compare(t, key, picture, tolerance)
			})
		}
	}
	r.load(t, "lora/reference_state_dict.safetensors", layers, start)
	t.Run("with_metadata", func(t *testing.T) {
		a := r.load(t, "lora/with_metadata/pytorch_lora_weights.safetensors", layers, start)
		_, picture := r.sampler(t, g, a).run(t, r, a, 1)
		r.Compare(t, "lora.inmem.w1.image_raw", picture, tolerance)
	})
	t.Run("round trip", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "ours.safetensors")
		require.NoError(t, start.Save(path, lora.SaveOptions{Prefix: AdapterPrefix}))
		again, err := lora.Load(path, layers)
		require.NoError(t, err)
		require.Equal(t, start, again)
	})
	r.write(t, start)
}

// adaptersEnv names a folder to write adapters to, for check_adapters.py in
// internal/golden; none by default.
const adaptersEnv = "DUALPROCESS_ADAPTERS"

// write saves the start adapter in the ways that there are.
func (r *reference) write(t *testing.T, start *lora.Adapter) {
	root := os.Getenv(adaptersEnv)
	if root == "" {
		return
	}
	folder := filepath.Join(root, filepath.FromSlash(r.Name))
	require.NoError(t, os.MkdirAll(folder, 0o755))
	for name, o := range map[string]lora.SaveOptions{
		"diffusers": {Prefix: AdapterPrefix}, "baked": {Prefix: AdapterPrefix, Baked: true},
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
			g := r.open(t, Options{Steps: steps, Guidance: &r.about.Spec.TrainGuidance})
			prefix := "latgrad." + name + "."
			if name == "unroll2" {
				require.Equal(t, r.timesteps(t, prefix+"timesteps"), g.config.Scheduler.Timesteps(2))
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
			}, inputs([]any{r.Tensor(t, "in.latents"), r.Tensor(t, "in.target")}, r.conditions(t, g))...)
			if r.has(prefix + "image") {
				r.Compare(t, prefix+"image", got.Floats(t, "image"), tolerance)
			}
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
