package text

import (
	"os"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// TestGoldenGemma compares ids, mask and every module's output with transformers'.
// What the pipeline makes of them, the tests of generator/sana compare.
func TestGoldenGemma(t *testing.T) {
	rt := golden.Runtime(t)
	for _, f := range golden.Fixtures(t, golden.Generator) {
		var a about
		f.Decode(t, &a)
		if a.Spec.Family != "sana" && a.Spec.Family != "sana_sprint" {
			continue // generator's tests see to it that every family is compared
		}
		t.Run(f.Name+"/text.gemma", func(t *testing.T) { testGemma(t, rt, f, a) })
	}
}

func testGemma(t *testing.T, rt *backends.Runtime, f *golden.Fixture, a about) {
	const tolerance = 2e-4 // from the fixtures' README
	fsys := os.DirFS(f.Path("model"))
	cfg, err := ReadGemmaConfig(fsys, "text_encoder")
	require.NoError(t, err)
	var encoder *Gemma
	root := weights.Root(rt.Store, "/gemma")
	require.NoError(t, weights.Load(fsys, "text_encoder", rt.Store, root, GemmaSurplus, func(c weights.Cursor) { encoder = NewGemma(c, cfg) }))

	prompter, err := OpenPrompter(fsys, "tokenizer", a.Spec.Seq, cfg.Vocabulary, Padding)
	require.NoError(t, err)
	ids, words, err := prompter.Padded(strings.ToLower(a.Prompt))
	require.NoError(t, err)
	require.Equal(t, f.Ints(t, "text.gemma.ids_plain"), ids)
	valid := make([]bool, len(ids))
	for i, one := range f.Ints(t, "text.gemma.mask_plain") {
		valid[i] = i < words
		require.Equal(t, one == 1, valid[i])
	}
	got := golden.Run(t, rt, func(in []*Node) golden.Outputs {
		pass := nn.Pass{Recorder: &nn.Recorder{}}
		states := encoder.Apply(pass, in[0], in[1], dtypes.Float32)
		out := f.Recorded("text.gemma.mod.", pass.Recorder, "")
		out["states"] = states
		return out
	}, rows(ids), tensors.FromFlatDataAndDimensions(valid, 1, len(valid)))
	if f.Has("text.gemma.out_plain") {
		f.Compare(t, "text.gemma.out_plain", got.Floats(t, "states"), tolerance)
	}
	f.Modules(t, "text.gemma.mod.", got, tolerance, func(x *tensors.Tensor) []float32 {
		return tensors.MustCopyFlatData[float32](x)[:words*cfg.Hidden]
	})
}

// TestPrompterCuts keeps the beginning where no token ends a text.
func TestPrompterCuts(t *testing.T) {
	for _, f := range golden.Fixtures(t, golden.Generator) {
		var a about
		f.Decode(t, &a)
		if a.Spec.Family != "sana" {
			continue
		}
		p, err := OpenPrompter(os.DirFS(f.Path("model")), "tokenizer", a.Spec.Seq, 1<<20, Padding)
		require.NoError(t, err)
		count, err := p.Count(a.Prompt)
		require.NoError(t, err)
		all, err := p.IDs(a.Prompt)
		require.NoError(t, err)
		cut, words, err := p.WithLength(count - 2).Padded(a.Prompt)
		require.NoError(t, err)
		require.Equal(t, all[:count-2], cut)
		require.Equal(t, count-2, words)
	}
}
