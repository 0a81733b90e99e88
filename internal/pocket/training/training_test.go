package training

import (
	"context"
	"encoding/binary"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/pocket/diffusion"
	"github.com/dualprocess/dualprocess-go/internal/pocket/teaching"
	"github.com/dualprocess/dualprocess-go/internal/pocket/vqa"
	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

func TestVocabulariesCoverTheWorld(t *testing.T) {
	captions, questions := captionVocabulary(), questionVocabulary()
	limit, longest := vqa.DefaultConfig(1).MaxWords, diffusion.DefaultConfig(1).Transformer.MaxWords
	for k := range 3000 {
		rng := rand.New(rand.NewPCG(3, uint64(k)))
		s := world.RandomScene(rng, world.Broad)
		_, err := captions.caption(s.Caption(), longest)
		require.NoError(t, err)
		q := teaching.Ask(rng, s)
		ids, err := questions.question(q.Text+teaching.Suffix, limit)
		require.NoError(t, err)
		assert.Equal(t, questions.ids[answerToken], ids[limit-1])
	}
	_, err := captions.caption("a meadow on mars", longest)
	assert.ErrorContains(t, err, "mars")
	_, err = captions.caption("a meadow at day", 3)
	assert.ErrorContains(t, err, "more than 3")
}

// toy is a fit of a small network to its own inputs.
func toy(t *testing.T, steps int) (*fit, drawFn) {
	t.Helper()
	rt, err := backends.Open(context.Background(), backends.Options{Backend: "go", NoDownload: true})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, rt.Close()) })
	source := &initial{store: rt.Store, root: "/toy", seed: 1}
	c := weights.NewCursor(source)
	in, out := nn.NewLinear(c.In("blocks.0"), 4, 8, nn.Bias), nn.NewLinear(c.In("out"), 8, 4, nn.Bias)
	require.NoError(t, c.Err())
	p := plan{name: "toy", steps: steps, batch: 16, seed: 2, adam: 1e-2, muon: 1e-2, flat: 0.5, ema: 0.9}
	f, err := newFit(rt, p, source, func(batch []*Node) (*Node, []*Node) {
		y := out.Apply(nn.Pass{}, nn.SiLU(in.Apply(nn.Pass{}, batch[0])))
		return ReduceAllMean(Square(Sub(y, batch[0]))), nil
	})
	require.NoError(t, err)
	return f, func(p plan, step int) []*tensors.Tensor {
		rng := rand.New(rand.NewPCG(p.seed, uint64(step)))
		x := make([]float32, p.batch*4)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		return []*tensors.Tensor{floats(x, p.batch, 4)}
	}
}

// TestResume stops a training and goes on: the state file must equal, byte for
// byte, that of a training that was never stopped.
func TestResume(t *testing.T) {
	whole := Options{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)}
	f, draw := toy(t, 8)
	require.NoError(t, f.train(context.Background(), whole, 8, draw))

	parts := Options{Dir: t.TempDir(), Logger: whole.Logger}
	f, draw = toy(t, 8)
	require.NoError(t, f.train(context.Background(), parts, 3, draw))
	f, draw = toy(t, 8)
	require.NoError(t, f.train(context.Background(), parts, 8, draw))

	want, err := os.ReadFile(whole.path("toy"))
	require.NoError(t, err)
	got, err := os.ReadFile(parts.path("toy"))
	require.NoError(t, err)
	assert.Equal(t, want, got)
}

func TestTrainingLearns(t *testing.T) {
	f, draw := toy(t, 150)
	first, err := f.run(draw(f.plan, 0))
	require.NoError(t, err)
	require.NoError(t, f.train(context.Background(), Options{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)}, 150, draw))
	last, err := f.run(draw(f.plan, 1000))
	require.NoError(t, err)
	assert.Less(t, last[0], first[0]/3)
}

func TestOrthogonalize(t *testing.T) {
	rt, err := backends.Open(context.Background(), backends.Options{Backend: "go", NoDownload: true})
	require.NoError(t, err)
	defer rt.Close()
	rng := rand.New(rand.NewPCG(5, 5))
	for _, dims := range [][]int{{3, 12}, {12, 3}} {
		x := make([]float32, dims[0]*dims[1])
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		// The sum of squares is that of the squared singular values: near their number.
		sum := MustExecOnce(rt.Backend, func(x *Node) *Node { return ReduceAllSum(Square(orthogonalize(x))) }, floats(x, dims...))
		assert.InDelta(t, 1, float64(tensors.ToScalar[float32](sum))/float64(min(dims[0], dims[1])), 0.35)
	}
}

func TestBfloat16(t *testing.T) {
	for value, want := range map[float32]float32{1: 1, -2.5: -2.5, 1.00390625: 1, 1.01171875: 1.015625, 3.14159: 3.140625} {
		bits := binary.LittleEndian.Uint16(bfloat16([]float32{value}))
		assert.Equal(t, want, math.Float32frombits(uint32(bits)<<16), "%v", value)
	}
}

// TestRate: warm-up, plateau, decay.
func TestRate(t *testing.T) {
	p := plan{steps: 1000, flat: 0.5}
	assert.InDelta(t, 0.5, p.rate(29), 1e-9)
	assert.InDelta(t, 1, p.rate(400), 1e-9)
	assert.InDelta(t, 0.51, p.rate(750), 1e-9)
	assert.InDelta(t, 0.02, p.rate(1000), 1e-9)

	p.again = 500
	assert.Equal(t, 1500, p.total())
	assert.InDelta(t, 0.02, p.rate(999), 1e-3)
	assert.InDelta(t, 0.25, p.rate(1029), 1e-9)
	assert.InDelta(t, 0.5, p.rate(1200), 1e-9)
	assert.InDelta(t, 0.255, p.rate(1375), 1e-9)
	assert.InDelta(t, 0.01, p.rate(1500), 1e-9)
}
