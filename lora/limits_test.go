package lora

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"
)

// allocated is the number of bytes that a function takes, freed ones included.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestNewLimits(t *testing.T) {
	small := Layer{Name: "q", In: 64, Out: 64}
	for want, test := range map[string]struct {
		rank  int
		layer Layer
	}{
		"Rank 1000000000":           {1e9, small},
		"Rank 9223372036854775807":  {math.MaxInt, small},
		"Rank 65537 is above 65536": {MaxRank + 1, small},
		"Rank 65536 makes":          {MaxRank, Layer{Name: "q", In: 1 << 16, Out: 1}},
		"Rank 1 makes":              {1, Layer{Name: "q", In: math.MaxInt, Out: math.MaxInt}},
		"Rank 2 makes":              {2, Layer{Name: "q", In: 1, Out: math.MaxInt}},
		"Rank 4 makes":              {4, Layer{Name: "q", In: 1 << 40, Out: 1, Kernel: [2]int{1 << 40, 1 << 40}}},
	} {
		took := allocated(func() {
			_, err := New(Config{Rank: test.rank}, []Layer{small, {Name: "other", In: test.layer.In, Out: test.layer.Out, Kernel: test.layer.Kernel}})
			require.ErrorIs(t, err, ErrConfig)
			require.ErrorContains(t, err, want)
		})
		require.Less(t, took, uint64(1<<20))
	}
	_, err := New(Config{Rank: MaxRank}, []Layer{{Name: "q", In: 1, Out: 1}})
	require.NoError(t, err)
}

// To bake brings all layers to the highest rank, which may be more than fits.
func TestBakedLimit(t *testing.T) {
	deep, err := New(Config{Rank: MaxRank}, []Layer{{Name: "deep", In: 1, Out: 1}})
	require.NoError(t, err)
	wide, err := New(Config{Rank: 1}, []Layer{{Name: "wide", In: 1 << 17, Out: 1}})
	require.NoError(t, err)
	both, err := Merge([]float64{1, 1}, deep, wide)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "a")
	err = both.Save(path, SaveOptions{Baked: true})
	require.ErrorIs(t, err, ErrConfig)
	require.ErrorContains(t, err, "Rank 65536 makes")
	require.NoError(t, both.Save(path, SaveOptions{}))
}

// TestLoadLimit reads a file without end, which takes no room on the disk.
func TestLoadLimit(t *testing.T) {
	const rank = 1 << 16
	header := fmt.Appendf(nil, `{"x.lora_A.weight":{"dtype":"F32","shape":[%d,%d],"data_offsets":[0,%d]},`, rank, rank, 4*rank*rank)
	header = fmt.Appendf(header, `"x.lora_B.weight":{"dtype":"F32","shape":[1,%d],"data_offsets":[%d,%d]}}`, rank, 4*rank*rank, 4*rank*rank+4*rank)
	path := filepath.Join(t.TempDir(), "a.safetensors")
	content := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
	require.NoError(t, os.WriteFile(path, content, 0o600))
	if err := os.Truncate(path, int64(len(content)+4*rank*rank+4*rank)); err != nil {
		t.Skip("the disk has no files with holes: ", err)
	}
	took := allocated(func() {
		_, err := Load(path, nil)
		require.ErrorIs(t, err, ErrFormat)
		require.ErrorContains(t, err, "the limit is 16 GiB")
	})
	require.Less(t, took, uint64(1<<20))
}

// A nil adapter has nothing, and what needs one says so.
func TestNilAdapter(t *testing.T) {
	var none *Adapter
	require.Empty(t, none.Layers())
	require.Empty(t, none.Params())
	require.Zero(t, none.Weight())
	require.Zero(t, none.Prefix())
	require.Nil(t, none.WithWeight(1))
	require.Nil(t, none.WithPrefix("unet"))
	require.Equal(t, "no adapter", none.String())
	require.NoError(t, none.Fits(twoLayers))
	require.Nil(t, none.Delta(nil, nil))

	a := filled(t, Config{}, twoLayers...)
	path := filepath.Join(t.TempDir(), "a")
	_, withParams := none.WithParams(nil)
	_, scale := none.Scale(1)
	_, first := Merge([]float64{1}, none)
	_, second := Merge([]float64{1, 1}, a, nil)
	for _, err := range []error{none.Save(path, SaveOptions{}), withParams, scale, first, second} {
		require.ErrorIs(t, err, ErrConfig)
		require.ErrorContains(t, err, "the adapter is nil")
	}
	require.ErrorContains(t, second, "adapter 1")
	require.NoFileExists(t, path)

	_, err := a.WithParams(make([]*tensors.Tensor, 4))
	require.ErrorIs(t, err, ErrMismatch)
	require.ErrorContains(t, err, `A of layer "blocks.0.attn.to_q"`)
}

// Weights that are no numbers reach no file and no other adapter.
func TestWeightsNotFinite(t *testing.T) {
	a := filled(t, Config{}, twoLayers...)
	path := filepath.Join(t.TempDir(), "a")
	for _, w := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		require.ErrorIs(t, a.WithWeight(w).Save(path, SaveOptions{}), ErrConfig)
		require.ErrorIs(t, a.WithWeight(w).Save(path, SaveOptions{Kohya: twoLayers}), ErrConfig)
		_, err := Merge([]float64{w}, a)
		require.ErrorIs(t, err, ErrConfig)
		require.ErrorContains(t, err, "weight")
		_, err = a.Scale(w)
		require.ErrorIs(t, err, ErrConfig)
	}
	require.NoFileExists(t, path)
}
