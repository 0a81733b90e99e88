package lora

import (
	"bytes"
	"os"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

// FuzzLoad feeds any bytes to the reader; what it accepts must survive a round
// trip.
func FuzzLoad(f *testing.F) {
	for _, name := range []string{"flux_with_metadata", "sd_old_keys", "sd_with_metadata"} {
		content, err := os.ReadFile("testdata/" + name + ".safetensors")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	pair := map[string][]int{"unet.q.lora_A.weight": {2, 3}, "unet.q.lora_B.weight": {4, 2}, "unet.q.alpha": {}}
	f.Add(file(f, nil, 1, pair))
	f.Add(file(f, map[string]string{peftKey: `{"unet.r": 2, "unet.alpha_pattern": {"(a*)*q": 1}}`}, 1, pair))
	f.Add(file(f, map[string]string{ownKey: `{"prefix":"unet","weight":5,"scale_one":5,"alpha":8}`}, 1, pair))
	f.Fuzz(func(t *testing.T, content []byte) {
		a, err := load(fstest.MapFS{"a": {Data: content}}, "a", nil)
		if err != nil {
			return
		}
		require.NoError(t, a.Fits(a.Layers()))
		list, header, err := a.encode(SaveOptions{})
		if err != nil {
			return // a weight times an alpha may overflow
		}
		var again bytes.Buffer // not a file: fsync is a hundred times slower than the rest
		require.NoError(t, safetensors.Write(&again, list, header))
		b, err := load(fstest.MapFS{"a": {Data: again.Bytes()}}, "a", a.Layers())
		require.NoError(t, err)
		require.Equal(t, a, b)
	})
}

// FuzzLoadKohya does the same in kohya's naming.
func FuzzLoadKohya(f *testing.F) {
	names := map[string][]int{
		"lora_unet_b_qk.lora_down.weight": {2, 3}, "lora_unet_b_qk.lora_up.weight": {6, 2}, "lora_unet_b_qk.alpha": {},
	}
	f.Add(file(f, nil, 1, names))
	f.Add(file(f, map[string]string{ownKey: `{"weight":5,"scale_one":5,"alpha":8,"ranks":{"b.q":1,"b.k":1}}`}, 1, names))
	f.Add(file(f, map[string]string{ownKey: `{"weight":5,"scale_one":5,"alpha":8,"ranks":{"b.q":-1,"b.k":9}}`}, 1, names))
	f.Fuzz(func(t *testing.T, content []byte) {
		a, err := load(fstest.MapFS{"a": {Data: content}}, "a", fusedLayers, published...)
		if err != nil {
			return
		}
		list, header, err := a.encode(SaveOptions{Fused: published})
		if err != nil {
			return // a weight times an alpha may overflow
		}
		var again bytes.Buffer
		require.NoError(t, safetensors.Write(&again, list, header))
		b, err := load(fstest.MapFS{"a": {Data: again.Bytes()}}, "a", a.Layers(), published...)
		require.NoError(t, err)
		require.Equal(t, a.Layers(), b.Layers())
	})
}
