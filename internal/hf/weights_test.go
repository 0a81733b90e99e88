package hf

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

func TestFindWeights(t *testing.T) {
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
			got, err := FindWeights(Folder{FS: files, Reading: Reading{Variant: test.variant}}, "m")
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
