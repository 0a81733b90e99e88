package text

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// qwen is what families of generators ask of Qwen3.
var qwen = map[string]struct {
	thinking  bool
	tolerance float64 // from the fixtures' README
}{
	"flux2":   {thinking: false, tolerance: 5e-5},
	"z_image": {thinking: true, tolerance: 3e-5},
}

// TestGoldenQwen3 compares the ids and masks of all prompts, and of one every module's
// output, with transformers'. What the pipelines make of them, the tests of the
// generators compare.
func TestGoldenQwen3(t *testing.T) {
	rt := golden.Runtime(t)
	for _, f := range golden.Fixtures(t, golden.Generator) {
		var a struct {
			Prompt string
			Spec   struct {
				Family  string
				Seq     int
				Prompts map[string]string
			}
		}
		f.Decode(t, &a)
		if _, ok := qwen[a.Spec.Family]; !ok {
			continue // generator's tests see to it that every family is compared
		}
		t.Run(f.Name+"/text.qwen", func(t *testing.T) {
			prompts := map[string]string{"": a.Prompt}
			for name, prompt := range a.Spec.Prompts {
				prompts["_"+name] = prompt
			}
			testQwen3(t, rt, f, a.Spec.Family, a.Spec.Seq, prompts)
		})
	}
}

func testQwen3(t *testing.T, rt *backends.Runtime, f *golden.Fixture, family string, length int, prompts map[string]string) {
	fsys, tolerance := os.DirFS(f.Path("model")), qwen[family].tolerance
	cfg, err := ReadQwen3Config(fsys, "text_encoder")
	require.NoError(t, err)
	prompter, err := OpenPrompter(fsys, "tokenizer", length, cfg.Vocabulary, QwenPadding)
	require.NoError(t, err)
	for name, prompt := range prompts {
		t.Run("ids"+name, func(t *testing.T) {
			ids, words, err := prompter.Padded(QwenChat(prompt, qwen[family].thinking))
			require.NoError(t, err)
			require.Equal(t, f.Ints(t, "text.qwen.ids"+name), ids)
			require.Equal(t, f.Ints(t, "text.qwen.mask"+name), slices.Concat(slices.Repeat([]int32{1}, words), make([]int32, length-words)))
		})
	}
	testQwen3States(t, rt, f, cfg, tolerance)
}

// testQwen3States compares every module's output, and what the encoder returns: the
// states behind the first layer and the last, of which no family reads the norm.
func testQwen3States(t *testing.T, rt *backends.Runtime, f *golden.Fixture, cfg decoder.Config, tolerance float64) {
	var encoder *Qwen3
	var norm *nn.RMSNorm
	layers := []int{1, cfg.Layers}
	require.NoError(t, weights.Load(os.DirFS(f.Path("model")), "text_encoder", rt.Store, weights.Root(rt.Store, "/qwen"), Qwen3Surplus(layers...), func(c weights.Cursor) {
		encoder = NewQwen3(c, cfg, layers...)
		norm = nn.NewRMSNorm(c.In("model", "norm"), cfg.Hidden, cfg.Epsilon, nn.NoBias)
	}))
	var valid []bool
	for _, one := range f.Ints(t, "text.qwen.mask") {
		valid = append(valid, one == 1)
	}
	got := golden.Run(t, rt, func(in []*Node) golden.Outputs {
		pass := nn.Pass{Recorder: &nn.Recorder{}}
		states := Split(encoder.Apply(pass, in[0], in[1], dtypes.Float32), -1, 2)
		norm.Apply(pass, states[1])
		out := f.Recorded("text.qwen.mod.", pass.Recorder, "model")
		out["first"], out["last"] = states[0], states[1]
		return out
	}, rows(f.Ints(t, "text.qwen.ids")), tensors.FromFlatDataAndDimensions(valid, 1, len(valid)))
	f.Modules(t, "text.qwen.mod.", got, tolerance, nil)
	f.Compare(t, "text.qwen.mod.layers.0", got.Floats(t, "first"), tolerance)
	f.Compare(t, fmt.Sprint("text.qwen.mod.layers.", cfg.Layers-1), got.Floats(t, "last"), tolerance)
}
