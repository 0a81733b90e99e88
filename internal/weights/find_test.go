package weights

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

func TestFind(t *testing.T) {
	const plain, index = "m/model.safetensors", "m/diffusion_pytorch_model.safetensors.index.json"
	const fp16, fp16Index = "m/model.fp16.safetensors", "m/model.safetensors.index.fp16.json"
	for name, test := range map[string]struct {
		files         []string
		variant, want string // "" for an error
		words         string
	}{
		"plain":               {[]string{plain, fp16}, "", plain, ""},
		"index":               {[]string{index, "m/diffusion_pytorch_model-00001-of-00002.safetensors"}, "", index, ""},
		"variant":             {[]string{plain, fp16}, "fp16", fp16, ""},
		"variant's index":     {[]string{plain, fp16Index}, "fp16", fp16Index, ""},
		"older index":         {[]string{"m/diffusion_pytorch_model.safetensors.fp16.index.json"}, "", "m/diffusion_pytorch_model.safetensors.fp16.index.json", ""},
		"another variant":     {[]string{plain, fp16}, "bf16", plain, ""},
		"only variant":        {[]string{fp16, fp16Index, "m/model.fp16-00001-of-00002.safetensors"}, "", fp16, ""},
		"only variant, other": {[]string{"m/diffusion_pytorch_model.non_ema.safetensors"}, "fp16", "m/diffusion_pytorch_model.non_ema.safetensors", ""},
		"two variants":        {[]string{fp16, "m/model.bf16.safetensors"}, "", "", `["bf16" "fp16"]: choose one by the option Variant`},
		"no index":            {[]string{"m/model-00001-of-00002.safetensors"}, "", "", "model-00001-of-00002.safetensors is one shard of several, whose index is missing"},
		"pickle":              {[]string{"m/pytorch_model.bin", "m/config.json"}, "", "", "pytorch_model.bin is PyTorch's pickle format: load it in Python"},
		"nothing":             {[]string{"m/config.json"}, "", "", "folder m has no diffusion_pytorch_model.safetensors"},
	} {
		t.Run(name, func(t *testing.T) {
			files := fstest.MapFS{}
			for _, file := range test.files {
				files[file] = &fstest.MapFile{}
			}
			got, err := find(hf.Folder{FS: files, Reading: hf.Reading{Variant: test.variant}}, "m")
			if test.want != "" {
				require.NoError(t, err)
				require.Equal(t, test.want, got)
				return
			}
			require.ErrorIs(t, err, fs.ErrNotExist)
			require.ErrorContains(t, err, test.words)
		})
	}
}

// TestMissing sums up what is missing, and finds the names with another prefix.
func TestMissing(t *testing.T) {
	one := func(name string) safetensors.Tensor { return safetensors.FromFloat32s(name, []float32{1}, 1) }
	load := func(at string, names ...string) error {
		var list []safetensors.Tensor
		for _, name := range names {
			list = append(list, one(name))
		}
		return Load(checkpoint(t, list...), "m", model.NewStore(), "/m", func(string) bool { return true }, func(c Cursor) {
			for _, name := range []string{"a", "b", "c", "d", "e", "f", "g"} {
				c.In(at).Variable(name+".weight", 1)
			}
		})
	}
	for _, test := range []struct {
		err          error
		says, hasNot string
	}{
		{load("", "x"), `missing tensor: 7, ["a.weight" "b.weight" "c.weight" "d.weight" "e.weight"] and 2 more`, "prefix"},
		{load("", "model.a.weight", "model.b.weight"), `the file has 2 of them with the prefix "model."`, "without"},
		{load("text.model", "a.weight", "b.weight", "c.weight"), `the file has 3 of them without the prefix "text.model."`, "with the prefix"},
		{load("", "a.weight", "b.weight", "c.weight", "d.weight", "e.weight", "f.weight"), `missing tensor "g.weight", want [1]`, "more"},
	} {
		require.ErrorIs(t, test.err, ErrMissing)
		assert.ErrorContains(t, test.err, test.says)
		assert.NotContains(t, test.err.Error(), test.hasNot)
	}
}
