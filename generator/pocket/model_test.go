package pocket

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"testing"
	"testing/fstest"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

func runtime(t *testing.T) *backends.Runtime {
	t.Helper()
	rt, err := backends.Open(context.Background(), backends.Options{NoDownload: true})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, rt.Close()) })
	return rt
}

// folder copies the embedded checkpoint, for tests that spoil it.
func folder(t *testing.T) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	sub, err := fs.Sub(embedded, "weights")
	require.NoError(t, err)
	require.NoError(t, fs.WalkDir(sub, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(sub, path)
		files[path] = &fstest.MapFile{Data: data}
		return err
	}))
	return files
}

func TestEncode(t *testing.T) {
	g, err := Open(t.Context(), runtime(t), Options{})
	require.NoError(t, err)
	in, err := g.Encode(context.Background(), "A Meadow at day")
	require.NoError(t, err)
	require.Len(t, in, 1)
	assert.Equal(t, []int{1, g.config.Transformer.MaxWords}, in[0].Shape().Dimensions)

	_, err = g.Encode(context.Background(), "a medow at day")
	require.ErrorIs(t, err, ErrUnknownWord)
	assert.ErrorContains(t, err, "medow")
	assert.ErrorContains(t, err, "meadow") // what could have been meant

	_, err = g.Encode(context.Background(), "a a a a a a a a a a a a a a a a a a a a a a a")
	assert.ErrorIs(t, err, ErrPromptTooLong)
}

func TestMisuse(t *testing.T) {
	rt := runtime(t)
	_, err := Open(t.Context(), nil, Options{})
	require.ErrorIs(t, err, dualprocess.ErrTask)
	var none context.Context
	_, err = Open(none, rt, Options{})
	require.ErrorIs(t, err, dualprocess.ErrTask)
	g, err := Open(t.Context(), rt, Options{})
	require.NoError(t, err)
	_, err = g.Encode(none, "a meadow by day")
	require.ErrorIs(t, err, dualprocess.ErrTask)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = g.Encode(ended, "a meadow by day")
	require.ErrorIs(t, err, context.Canceled)
}

func TestLatents(t *testing.T) {
	g, err := Open(t.Context(), runtime(t), Options{})
	require.NoError(t, err)
	both, err := g.Latents(7, 8)
	require.NoError(t, err)
	one, err := g.Latents(8)
	require.NoError(t, err)
	n := one.Shape().Size()
	assert.Equal(t, tensors.MustCopyFlatData[float32](one), tensors.MustCopyFlatData[float32](both)[n:], "a seed's noise depends on nothing else")
}

// TestSchedule follows one straight flow: with the true velocity every clean
// estimate is the clean latents, and so is the end.
func TestSchedule(t *testing.T) {
	rt := runtime(t)
	g, err := Open(t.Context(), rt, Options{})
	require.NoError(t, err)
	assert.Equal(t, float32(1), g.flow.Sigmas[0])
	assert.Equal(t, float32(0), g.flow.Next[g.Steps()-1])
	exec, err := graphs.NewExecutor(rt, func(in []*Node) []*Node {
		clean, noise, i := in[0], in[1], in[2]
		v := Sub(noise, clean)
		x := g.Noise(clean, noise, i)
		return []*Node{x, g.Clean(x, v, i), g.Step(x, v, i)}
	})
	require.NoError(t, err)
	clean, _ := g.Latents(1)
	noise, _ := g.Latents(2)
	var x []float32 // of the step before
	for i := range g.Steps() {
		out, err := exec.Call(clean, noise, int32(i))
		require.NoError(t, err)
		if i > 0 {
			require.InDeltaSlice(t, x, tensors.MustCopyFlatData[float32](out[0]), 1e-5, "step %d", i)
		}
		require.InDeltaSlice(t, tensors.MustCopyFlatData[float32](clean), tensors.MustCopyFlatData[float32](out[1]), 1e-5, "step %d", i)
		x = tensors.MustCopyFlatData[float32](out[2])
	}
	require.InDeltaSlice(t, tensors.MustCopyFlatData[float32](clean), x, 1e-5)
}

func TestOpenNamesWhatIsWrong(t *testing.T) {
	const transformer = "transformer/config.json"
	for name, test := range map[string]struct {
		spoil func(files fstest.MapFS)
		is    error
		says  string
	}{
		"no config":     {func(f fstest.MapFS) { delete(f, transformer) }, fs.ErrNotExist, transformer},
		"unknown field": {func(f fstest.MapFS) { f[transformer].Data = []byte(`{"size": 1}`) }, nil, "size"},
		"senseless":     {func(f fstest.MapFS) { f[transformer].Data = []byte(`{"sample_size": -8}`) }, nil, "sample_size"},
		"no weights":    {func(f fstest.MapFS) { delete(f, "vae/diffusion_pytorch_model.safetensors") }, fs.ErrNotExist, "vae"},
		"other weights": {func(f fstest.MapFS) {
			f["vae/diffusion_pytorch_model.safetensors"] = f["transformer/diffusion_pytorch_model.safetensors"]
		}, weights.ErrMissing, "conv_in"},
		"truncated": {func(f fstest.MapFS) {
			d := f["vae/diffusion_pytorch_model.safetensors"]
			d.Data = d.Data[:len(d.Data)/2]
		}, nil, "vae"},
		"no tokenizer": {func(f fstest.MapFS) { delete(f, "tokenizer/tokenizer.json") }, fs.ErrNotExist, "tokenizer"},
		"huge":         {func(f fstest.MapFS) { f[transformer].Data = []byte(`{"sample_size": 8, "hidden_size": 1000000000}`) }, nil, "in_channels"},
		"small vocabulary": {func(f fstest.MapFS) {
			f["tokenizer/tokenizer.json"].Data = []byte(`{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,"pre_tokenizer":null,"post_processor":null,"decoder":null,"model":{"type":"WordLevel","vocab":{"a":0,"b":100000}}}`)
		}, nil, "vocab_size"},
	} {
		t.Run(name, func(t *testing.T) {
			files := folder(t)
			test.spoil(files)
			_, err := OpenFS(t.Context(), runtime(t), files, Options{})
			require.Error(t, err)
			assert.ErrorContains(t, err, test.says)
			if test.is != nil {
				assert.True(t, errors.Is(err, test.is), "%v", err)
			}
		})
	}
}

// TestTwoOfAKind opens the model twice on one runtime: their variables are apart.
func TestTwoOfAKind(t *testing.T) {
	rt := runtime(t)
	none := rt.Store.NumVariables() // the store's own random state
	_, err := Open(t.Context(), rt, Options{})
	require.NoError(t, err)
	one := rt.Store.NumVariables() - none
	_, err = Open(t.Context(), rt, Options{})
	require.NoError(t, err)
	assert.Equal(t, 2*one, rt.Store.NumVariables()-none)
}

func TestDecoderIsFiniteFarFromItsLatents(t *testing.T) {
	rt := runtime(t)
	g, err := Open(t.Context(), rt, Options{})
	require.NoError(t, err)
	exec, err := graphs.NewExecutor(rt, func(in []*Node) []*Node {
		return []*Node{g.Decode(MulScalar(in[0], 50))}
	})
	require.NoError(t, err)
	noise, _ := g.Latents(3)
	out, err := exec.Call1(noise)
	require.NoError(t, err)
	size := g.config.Decoder.PictureSize()
	assert.Equal(t, []int{1, size, size, 3}, out.Shape().Dimensions)
	for _, v := range tensors.MustCopyFlatData[float32](out) {
		require.False(t, math.IsNaN(float64(v)) || math.IsInf(float64(v), 0))
	}
}
