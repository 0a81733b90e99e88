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

const tolerance = 2e-5 // of the largest element, from the fixtures' README

// about is what the test needs of golden.json.
type about struct {
	Prompt string
	Spec   struct {
		Family string
		Seq    int
	}
}

// TestGolden compares ids and every module's output of the two encoders with
// transformers'.
func TestGolden(t *testing.T) {
	rt := golden.Runtime(t)
	for _, f := range golden.Fixtures(t, golden.Generator) {
		var a about
		f.Decode(t, &a)
		if a.Spec.Family != "flux" {
			continue // generator's tests see to it that every family is compared
		}
		t.Run(f.Name+"/text.t5", func(t *testing.T) { testT5(t, rt, f, a) })
		t.Run(f.Name+"/text.clip", func(t *testing.T) { testCLIP(t, rt, f, a) })
	}
}

func testT5(t *testing.T, rt *backends.Runtime, f *golden.Fixture, a about) {
	fsys := os.DirFS(f.Path("model"))
	cfg, err := ReadT5Config(fsys, "text_encoder_2")
	require.NoError(t, err)
	var encoder *T5
	root := weights.Root(rt.Store, "/t5")
	require.NoError(t, weights.Load(fsys, "text_encoder_2", rt.Store, root, T5Surplus, func(c weights.Cursor) { encoder = NewT5(c, cfg) }))

	prompter, err := OpenPrompter(fsys, "tokenizer_2", a.Spec.Seq, cfg.Vocabulary, Padding)
	require.NoError(t, err)
	testIDs(t, f, "text.t5", a.Prompt, prompter)
	got := golden.Run(t, rt, func(in []*Node) golden.Outputs {
		pass := nn.Pass{Recorder: &nn.Recorder{}}
		states := encoder.Apply(pass, in[0], dtypes.Float32)
		out := f.Recorded("text.t5.mod.", pass.Recorder, "")
		out["states"] = states
		return out
	}, rows(f.Ints(t, "text.t5.ids")))
	f.Modules(t, "text.t5.mod.", got, tolerance, nil)
	f.Compare(t, "text.t5.out", got.Floats(t, "states"), tolerance)

	t.Run("out512", func(t *testing.T) {
		long, err := OpenPrompter(fsys, "tokenizer_2", 512, cfg.Vocabulary, Padding)
		require.NoError(t, err)
		ids, err := long.IDs(a.Prompt)
		require.NoError(t, err)
		got := golden.Run(t, rt, func(in []*Node) golden.Outputs {
			states := encoder.Apply(nn.Pass{}, in[0], dtypes.Float32)
			return golden.Outputs{"some": Slice(states, AxisRange(), AxisRange().Stride(64))}
		}, rows(ids))
		f.Compare(t, "text.t5.out512", got.Floats(t, "some"), tolerance)
	})
}

func testCLIP(t *testing.T, rt *backends.Runtime, f *golden.Fixture, a about) {
	fsys := os.DirFS(f.Path("model"))
	cfg, err := ReadCLIPConfig(fsys, "text_encoder")
	require.NoError(t, err)
	var encoder *CLIP
	root := weights.Root(rt.Store, "/clip")
	require.NoError(t, weights.Load(fsys, "text_encoder", rt.Store, root, CLIPSurplus, func(c weights.Cursor) { encoder = NewCLIP(c, cfg) }))

	prompter, err := OpenPrompter(fsys, "tokenizer", cfg.Positions, cfg.Vocabulary, CLIPPadding)
	require.NoError(t, err)
	testIDs(t, f, "text.clip", a.Prompt, prompter)
	for _, which := range []string{"", "_empty", "_long"} {
		ids := f.Ints(t, "text.clip.ids"+which)
		got := golden.Run(t, rt, func(in []*Node) golden.Outputs {
			pass := nn.Pass{Recorder: &nn.Recorder{}}
			states := encoder.Apply(pass, in[0], dtypes.Float32)
			out := f.Recorded("text.clip.mod.", pass.Recorder, "text_model")
			out["states"], out["pooled"] = states, Pool(states, in[1])
			return out
		}, rows(ids), int32(cfg.Summary(ids)))
		f.Compare(t, "text.clip.pooled"+which, got.Floats(t, "pooled"), tolerance)
		if which == "" {
			f.Modules(t, "text.clip.mod.", got, tolerance, nil)
			f.Compare(t, "text.clip.last_hidden", got.Floats(t, "states"), tolerance)
		}
	}
}

// testIDs compares the ids of the fixture's prompt, of no words, and of more than
// the encoder takes.
func testIDs(t *testing.T, f *golden.Fixture, prefix, prompt string, p *Prompter) {
	long := strings.Repeat(prompt+" ", p.Length())
	for key, prompt := range map[string]string{"ids": prompt, "ids_empty": "", "ids_long": long} {
		t.Run(key, func(t *testing.T) {
			ids, err := p.IDs(prompt)
			require.NoError(t, err)
			require.Equal(t, f.Ints(t, prefix+"."+key), ids)
		})
	}
}

func rows(ids []int32) *tensors.Tensor { return tensors.FromFlatDataAndDimensions(ids, 1, len(ids)) }
