package decoder

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// drawn is a weights.Source of random parameters that keep numbers near 1.
type drawn struct {
	store *model.Store
	rng   *rand.Rand
	dtype dtypes.DType
}

func (s drawn) Variable(name string, dims ...int) (*model.Variable, error) {
	scale := 1 / math.Sqrt(float64(dims[len(dims)-1]))
	x := tensors.FromFlatDataAndDimensions(normal(s.rng, scale, dims...), dims...)
	if s.dtype == dtypes.BFloat16 {
		x = half(x)
	}
	return s.store.CreateVariable("/"+name, x)
}

func normal(rng *rand.Rand, scale float64, dims ...int) []float32 {
	size := 1
	for _, d := range dims {
		size *= d
	}
	values := make([]float32, size)
	for i := range values {
		values[i] = float32(scale * rng.NormFloat64())
	}
	return values
}

// kinds are configurations that differ in all that a Config can say.
func kinds() map[string]Config {
	plain := Config{
		Layers: 3, Hidden: 24, Intermediate: 20, Heads: 4, KVHeads: 2, HeadDim: 8, Vocabulary: 50, Epsilon: 1e-6,
		Activation: "silu", EmbedScale: 1, AttentionScale: 0.3, Windows: make([]int, 3),
		Rotary: []Rotary{{1e4, 1}, {1e4, 1}, {1e4, 1}},
	}
	qwen := plain
	qwen.QKVBias, qwen.Sections = true, []int{1, 1, 2}
	windows := plain
	windows.Windows, windows.KVHeads, windows.Activation = []int{3, 3, 3}, 4, "gelu"
	gemma2 := plain
	gemma2.UnitOffset, gemma2.PostNorms, gemma2.TiedHead, gemma2.Activation = true, true, true, "gelu_pytorch_tanh"
	gemma2.AttentionCap, gemma2.LogitCap, gemma2.Windows, gemma2.EmbedScale = 5, 3, []int{4, 0, 4}, 5
	gemma3 := gemma2
	gemma3.AttentionCap, gemma3.LogitCap, gemma3.QKNorm, gemma3.KVHeads, gemma3.HeadDim = 0, 0, true, 1, 10
	gemma3.Rotary = []Rotary{{1e4, 1}, {1e6, 8}, {1e4, 1}}
	qwen3 := plain
	qwen3.QKNorm, qwen3.Sections, qwen3.Interleaved, qwen3.TiedHead = true, []int{2, 1, 1}, true, true
	qwen35 := qwen3
	qwen35.OutputGate, qwen35.UnitOffset, qwen35.RotaryDim, qwen35.Sections = true, true, 6, []int{1, 1, 1}
	qwen35.Recurrent, qwen35.Delta = []bool{true, true, false}, Delta{KeyHeads: 2, ValueHeads: 4, KeyDim: 6, ValueDim: 5, Kernel: 4}
	ministral := plain
	ministral.YaRN = &YaRN{Factor: 8, Original: 4, Fast: 1, Slow: 0.1, Attention: 1.1}
	ministral.QueryGrowth, ministral.QueryStep = 0.3, 2
	llama := plain
	llama.QKVBias, llama.OutBias, llama.MLPBias = true, true, true
	return map[string]Config{"llama": llama, "qwen": qwen, "qwen3": qwen3, "qwen35": qwen35, "windows": windows, "gemma2": gemma2, "gemma3": gemma3, "ministral": ministral}
}

// onEach runs a test with a random model of each kind on the pure Go backend,
// which compiles nothing.
func onEach(t *testing.T, test func(t *testing.T, b bench)) {
	for name, cfg := range kinds() {
		t.Run("go/"+name, func(t *testing.T) { test(t, newBench(t, "go", cfg, dtypes.Float32)) })
	}
}

// bench is a random model with a sequence to run through it.
type bench struct {
	rt                        *backends.Runtime
	m                         *Decoder
	rng                       *rand.Rand
	embeds, positions, groups *tensors.Tensor
}

const length, cut = 9, 5 // of the sequence, and of its first part

func newBench(t testing.TB, backend string, cfg Config, dtype dtypes.DType) bench {
	rt, err := backends.Open(context.Background(), backends.Options{Backend: backend, NoDownload: true})
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { require.NoError(t, rt.Close()) })
	require.NoError(t, cfg.check())
	b := bench{rt: rt, rng: rand.New(rand.NewPCG(1, 2))}
	c := weights.NewCursor(drawn{rt.Store, b.rng, dtype})
	b.m = NewWithHead(c.In("model"), c.In("lm_head"), cfg)
	require.NoError(t, c.Err())
	b.embeds = b.sequence(2)
	axes := max(1, len(cfg.Sections))
	var positions []int32
	for axis := range axes {
		for i := range length {
			positions = append(positions, int32(i+axis*(i%3)))
		}
	}
	b.positions = tensors.FromFlatDataAndDimensions(positions, axes, length)
	b.groups = tensors.FromValue([]int32{0, 1, 1, 1, 0, 0, 2, 2, 0})
	return b
}

// sequence draws embeddings.
func (b bench) sequence(batch int) *tensors.Tensor {
	h := b.m.config.Hidden
	return tensors.FromFlatDataAndDimensions(normal(b.rng, 1, batch, length, h), batch, length, h)
}

// run executes a graph of the bench's tensors and others.
func (b bench) run(t testing.TB, build func(in Span, more []*Node) []*Node, more ...any) [][]float32 {
	t.Helper()
	return b.execute(t, func(in []*Node) []*Node {
		return build(Span{Embeds: in[0], Positions: in[1], Groups: in[2]}, in[3:])
	}, append([]any{b.embeds, b.positions, b.groups}, more...)...)
}

func (b bench) execute(t testing.TB, build func(in []*Node) []*Node, inputs ...any) (values [][]float32) {
	t.Helper()
	exec, err := graphs.NewExecutor(b.rt, func(in []*Node) []*Node {
		out := build(in)
		for i, x := range out {
			out[i] = ConvertDType(x, dtypes.Float32)
		}
		return out
	})
	require.NoError(t, err)
	defer exec.Finalize()
	out, err := exec.Call(inputs...)
	require.NoError(t, err)
	for _, x := range out {
		values = append(values, tensors.MustCopyFlatData[float32](x))
	}
	return values
}

// part is the span's tokens from one to another.
func part(s Span, from, to int) Span {
	p := Span{Embeds: Slice(s.Embeds, AxisRange(), AxisRange(from, to))}
	p.Positions = Slice(s.Positions, AxisRange(), AxisRange(from, to))
	if s.Groups != nil {
		p.Groups = Slice(s.Groups, AxisRange(from, to))
	}
	return p
}

// scored returns logits and the gradient of a sum of them in the embeddings.
func scored(m *Decoder, hidden, embeds *Node) []*Node {
	logits := m.Logits(nn.Pass{}, hidden)
	return []*Node{logits, Gradient(ReduceAllSum(Square(logits)), embeds)[0]}
}

func close(t testing.TB, want, got [][]float32) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		require.NoError(t, golden.Close(got[i], want[i], 2e-5), "output %d", i)
	}
}

func half(x *tensors.Tensor) *tensors.Tensor {
	values := tensors.MustCopyFlatData[float32](x)
	out := make([]bfloat16.BFloat16, len(values))
	for i, v := range values {
		out[i] = bfloat16.FromFloat32(v)
	}
	return tensors.FromFlatDataAndDimensions(out, x.Shape().Dimensions...)
}
