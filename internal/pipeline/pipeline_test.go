package pipeline

import (
	"context"
	"errors"
	"testing"
	"testing/fstest"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/hf"
)

func TestCheckIndex(t *testing.T) {
	parts := map[string]Part{"vae": {Classes: []string{"AutoencoderKL", "AutoencoderDC"}}, "safety": {Classes: []string{"Checker"}, Optional: true}}
	for _, test := range []struct{ index, names string }{
		{`{"_class_name": "P", "vae": ["diffusers", "AutoencoderDC"]}`, ""},
		{`{"vae": ["diffusers", "AutoencoderKL"], "safety": [null, null], "more": [null, null], "setting": true}`, ""},
		{`{"vae": ["diffusers", "AutoencoderTiny"]}`, `vae is "AutoencoderTiny" of "diffusers"; supported: AutoencoderKL, AutoencoderDC`},
		{`{"vae": [null, null]}`, "vae is null; supported: "},
		{`{"safety": ["diffusers", "Checker"]}`, "vae"},
		{`{"vae": ["diffusers", "AutoencoderKL"], "unet": ["diffusers", "UNet"]}`, `unet is "UNet" of "diffusers"; this pipeline has no such part`},
		{`{"vae": ["AutoencoderKL"]}`, "vae is no pair of a library and a class; supported: "},
		{"{\"vae\": [\n\t\"diffusers\",\n\t\"Tiny\"\n]}", `vae is "Tiny" of "diffusers"`},
	} {
		err := CheckIndex(fstest.MapFS{"model_index.json": {Data: []byte(test.index)}}, parts)
		if test.names == "" {
			require.NoError(t, err, test.index)
			continue
		}
		require.ErrorIs(t, err, hf.ErrConfig)
		require.ErrorContains(t, err, test.names)
		require.ErrorContains(t, err, "model_index.json")
	}
	require.ErrorContains(t, CheckIndex(fstest.MapFS{}, parts), "model_index.json")
}

func TestMemory(t *testing.T) {
	m, computed := memory[string]{limit: 2}, 0
	get := func(key string) float32 {
		got, err := m.get(t.Context(), key, func() ([]*tensors.Tensor, error) {
			computed++
			return []*tensors.Tensor{tensors.FromScalar(float32(len(key)))}, nil
		})
		require.NoError(t, err)
		value := tensors.ToScalar[float32](got[0])
		require.NoError(t, got[0].FinalizeAll()) // belongs to the caller
		return value
	}
	require.Equal(t, float32(1), get("a"))
	require.Equal(t, float32(1), get("a"))
	require.Equal(t, 1, computed)
	require.Equal(t, float32(2), get("bb"))
	require.Equal(t, float32(3), get("ccc")) // one too many
	require.Equal(t, float32(1), get("a"))
	require.Equal(t, 4, computed)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := m.get(ended, "a", nil)
	require.ErrorIs(t, err, context.Canceled)
	wrong := errors.New("wrong")
	_, err = m.get(t.Context(), "d", func() ([]*tensors.Tensor, error) { return nil, wrong })
	require.ErrorIs(t, err, wrong)
	require.ErrorIs(t, m.do(func() error { return wrong }), wrong)
}

func TestNoise(t *testing.T) {
	two, one := Noise([]int64{7, 8}, 2, 3), Noise([]int64{8}, 2, 3)
	require.Equal(t, []int{2, 2, 3}, two.Shape().Dimensions)
	require.Equal(t, one.Value().([][][]float32)[0], two.Value().([][][]float32)[1])
}
