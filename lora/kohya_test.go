package lora

import (
	"path/filepath"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

// fusedLayers is a model of three layers, two of which another program has as one.
var (
	fusedLayers = []Layer{{Name: "b.q", In: 3, Out: 4}, {Name: "b.k", In: 3, Out: 2}, {Name: "b.out", In: 4, Out: 3}}
	published   = []Fused{{"lora_unet_b_qk", fusedLayers[:2]}, {"lora_unet_b_out", fusedLayers[2:]}}
)

// TestKohyaRoundTrip saves in kohya's naming and reads back: every number is the
// same, also where B is zero and where a part of a fused layer is not adapted.
func TestKohyaRoundTrip(t *testing.T) {
	for name, targets := range map[string][]string{"all": nil, "a part": {"k"}, "one whole": {"out"}} {
		for _, trained := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				a, err := New(Config{Rank: 2, Alpha: 3, Targets: targets}, fusedLayers)
				require.NoError(t, err)
				if trained {
					a = numbered(t, a)
				}
				path := filepath.Join(t.TempDir(), "a.safetensors")
				require.NoError(t, a.Save(path, SaveOptions{Fused: published}))
				b, err := Load(path, fusedLayers, published...)
				require.NoError(t, err)
				require.Equal(t, a, b)
			})
		}
	}
}

// numbered returns the adapter with numbers that are all different and not 0.
func numbered(t *testing.T, a *Adapter) *Adapter {
	next := float32(0)
	params := a.Params()
	for _, p := range params {
		require.NoError(t, tensors.MutableFlatData(p, func(values []float32) {
			for i := range values {
				next++
				values[i] = next / 8
			}
		}))
	}
	b, err := a.WithParams(params)
	require.NoError(t, err)
	return b
}

// TestKohyaLayout checks the file as another program reads it: one matrix over
// all of the fused layer, whose product with alpha/rank is ours at our weight.
func TestKohyaLayout(t *testing.T) {
	a, err := New(Config{Rank: 2, Alpha: 3, Targets: []string{"q", "k"}}, fusedLayers)
	require.NoError(t, err)
	a = numbered(t, a)
	path := filepath.Join(t.TempDir(), "a.safetensors")
	require.NoError(t, a.Save(path, SaveOptions{Fused: published}))
	f, err := safetensors.OpenFile(path)
	require.NoError(t, err)
	defer f.Close()
	down, err := f.Float32s("lora_unet_b_qk.lora_down.weight") // [4, 3]
	require.NoError(t, err)
	up, err := f.Float32s("lora_unet_b_qk.lora_up.weight") // [6, 4]
	require.NoError(t, err)
	alpha, err := f.Float32s("lora_unet_b_qk.alpha")
	require.NoError(t, err)
	require.Equal(t, []float32{3 * DefaultWeight * 2}, alpha) // scale alpha/rank of each part, times their common rank
	require.Len(t, f.Tensors(), 3)

	product := func(b, a []float32, out, rank, in int) []float32 {
		y := make([]float32, out*in)
		for o := range out {
			for r := range rank {
				for i := range in {
					y[o*in+i] += b[o*rank+r] * a[r*in+i]
				}
			}
		}
		return y
	}
	q, k := a.parts[1], a.parts[0] // sorted by name
	want := append(product(q.b, q.a, 4, 2, 3), product(k.b, k.a, 2, 2, 3)...)
	require.Equal(t, want, product(up, down, 6, 4, 3))
}

// TestKohyaElsewhere reads a file that was trained on the fused layer itself.
func TestKohyaElsewhere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	write := func(tensors ...safetensors.Tensor) { require.NoError(t, safetensors.WriteFile(path, tensors, nil)) }
	down := safetensors.FromFloat32s("lora_unet_b_qk.lora_down.weight", []float32{1, 2, 3}, 1, 3)
	up := safetensors.FromFloat32s("lora_unet_b_qk.lora_up.weight", []float32{1, 2, 3, 4, 5, 6}, 6, 1)

	write(down, up)
	a, err := Load(path, fusedLayers, published...)
	require.NoError(t, err)
	require.Equal(t, 1.0, a.Weight())
	require.Equal(t, []part{
		{Layer: fusedLayers[1], rank: 1, alpha: 1, a: []float32{1, 2, 3}, b: []float32{5, 6}},
		{Layer: fusedLayers[0], rank: 1, alpha: 1, a: []float32{1, 2, 3}, b: []float32{1, 2, 3, 4}},
	}, a.parts)

	_, err = Load(path, fusedLayers)
	require.ErrorIs(t, err, ErrFormat)
	require.ErrorContains(t, err, "published names")

	for name, list := range map[string][]safetensors.Tensor{
		"lora_te1_x":        {down, up, safetensors.FromFloat32s("lora_te1_x.lora_down.weight", []float32{1}, 1, 1)},
		"both down and up":  {down},
		"shapes":            {down, safetensors.FromFloat32s(up.Name, []float32{1, 2}, 2, 1)},
		"alpha":             {down, up, safetensors.FromFloat32s("lora_unet_b_qk.alpha", []float32{1, 2}, 2)},
		"lora_unet_b_extra": {down, up, safetensors.FromFloat32s("lora_unet_b_extra", []float32{1, 2}, 2)},
	} {
		write(list...)
		_, err := Load(path, fusedLayers, published...)
		require.ErrorContains(t, err, name)
	}
}

func TestKohyaUnnamed(t *testing.T) {
	a, err := New(Config{}, fusedLayers)
	require.NoError(t, err)
	err = a.Save(filepath.Join(t.TempDir(), "a.safetensors"), SaveOptions{Fused: published[:1]})
	require.ErrorIs(t, err, ErrConfig)
	require.ErrorContains(t, err, "b.out")
}
