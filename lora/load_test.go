package lora

import (
	"bytes"
	"errors"
	"io/fs"
	"math"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

// file builds a safetensors file; each tensor is its name and shape, filled
// with value.
func file(t testing.TB, header map[string]string, value float32, shapes map[string][]int) []byte {
	t.Helper()
	var list []safetensors.Tensor
	for name, shape := range shapes {
		values := make([]float32, product(shape))
		for i := range values {
			values[i] = value
		}
		list = append(list, safetensors.FromFloat32s(name, values, shape...))
	}
	var b bytes.Buffer
	require.NoError(t, safetensors.Write(&b, list, header))
	return b.Bytes()
}

func TestLoadForeign(t *testing.T) {
	pair := map[string][]int{"unet.x.q.lora_A.weight": {2, 3}, "unet.x.q.lora_B.weight": {4, 2}}
	config := func(text string) map[string]string { return map[string]string{peftKey: text} }
	for name, test := range map[string]struct {
		header map[string]string
		more   map[string][]int
		want   float64
	}{
		"nothing said":       {nil, nil, 1},
		"other network":      {config(`{"text_encoder.r": 9, "text_encoder.lora_alpha": 9}`), nil, 1},
		"PEFT's default":     {config(`{"unet.r": 2}`), nil, 4},
		"alpha":              {config(`{"unet.r": 2, "unet.lora_alpha": 3}`), nil, 1.5},
		"alpha pattern":      {config(`{"unet.r": 2, "unet.lora_alpha": 3, "unet.alpha_pattern": {"q": 5}}`), nil, 2.5},
		"whole elements":     {config(`{"unet.r": 2, "unet.lora_alpha": 3, "unet.alpha_pattern": {".q": 5, "z.q": 7}}`), nil, 1.5},
		"regular expression": {config(`{"unet.r": 9, "unet.lora_alpha": 3, "unet.rank_pattern": {"[pq]": 2}}`), nil, 1.5},
		"rank-stabilised":    {config(`{"unet.r": 2, "unet.lora_alpha": 3, "unet.use_rslora": true}`), nil, 3 / math.Sqrt2},
		"alpha tensor":       {nil, map[string][]int{"unet.x.q.alpha": {}}, 0.25},
	} {
		t.Run(name, func(t *testing.T) {
			shapes := map[string][]int{}
			for _, m := range []map[string][]int{pair, test.more} {
				for k, v := range m {
					shapes[k] = v
				}
			}
			a, err := load(fstest.MapFS{"a": {Data: file(t, test.header, 0.5, shapes)}}, "a", nil, LoadOptions{})
			require.NoError(t, err)
			require.Equal(t, []Layer{{Name: "x.q", In: 3, Out: 4}}, a.Layers())
			require.InDelta(t, test.want, scale(a.parts[0]), 1e-12)
		})
	}
	bare := map[string][]int{"transformer.x.lora_A.weight": {2, 3}, "transformer.x.lora_B.weight": {4, 2}}
	layers := []Layer{{Name: "transformer.x", In: 3, Out: 4}}
	a, err := load(fstest.MapFS{"a": {Data: file(t, nil, 1, bare)}}, "a", layers, LoadOptions{})
	require.NoError(t, err)
	require.Equal(t, layers, a.Layers(), "the layers decide what is a prefix")
}

func TestLoadRefuses(t *testing.T) {
	nan := float32(math.NaN())
	good := map[string][]int{"unet.q.lora_A.weight": {2, 3}, "unet.q.lora_B.weight": {4, 2}}
	shapes := func(a, b []int) map[string][]int {
		return map[string][]int{"unet.q.lora_A.weight": a, "unet.q.lora_B.weight": b}
	}
	with := func(name string, shape ...int) map[string][]int {
		return map[string][]int{"unet.q.lora_A.weight": {2, 3}, "unet.q.lora_B.weight": {4, 2}, name: shape}
	}
	header := func(key, text string) map[string]string { return map[string]string{key: text} }
	for name, test := range map[string]struct {
		content []byte
		is      error
		want    string
	}{
		"not safetensors":    {[]byte("PNG"), safetensors.ErrFormat, "too short"},
		"empty":              {file(t, nil, 1, nil), ErrFormat, "no tensors"},
		"a weight":           {file(t, nil, 1, with("unet.q.weight", 4, 3)), ErrFormat, `"unet.q.weight"`},
		"DoRA":               {file(t, nil, 1, with("unet.q.lora_magnitude_vector", 4)), ErrFormat, "magnitude"},
		"bias":               {file(t, nil, 1, with("unet.q.lora_B.bias", 4)), ErrFormat, "bias"},
		"suffix alone":       {file(t, nil, 1, with(".lora_A.weight", 2, 3)), ErrFormat, `".lora_A.weight"`},
		"no B":               {file(t, nil, 1, map[string][]int{"unet.q.lora_A.weight": {2, 3}}), ErrFormat, `"unet.q"`},
		"A in two spellings": {file(t, nil, 1, with("unet.q.lora.down.weight", 2, 3)), ErrFormat, "says the same"},
		"ranks differ":       {file(t, nil, 1, shapes([]int{2, 3}, []int{4, 3})), ErrFormat, "[2 3] and [4 3]"},
		"no rank":            {file(t, nil, 1, shapes([]int{0, 3}, []int{4, 0})), ErrFormat, "[0 3]"},
		"no inputs":          {file(t, nil, 1, shapes([]int{2, 0}, []int{4, 2})), ErrFormat, "[2 0]"},
		"vectors":            {file(t, nil, 1, shapes([]int{2}, []int{4})), ErrFormat, "[2]"},
		"mixed":              {file(t, nil, 1, shapes([]int{2, 3}, []int{4, 2, 1, 1})), ErrFormat, "[4 2 1 1]"},
		"wide B":             {file(t, nil, 1, shapes([]int{2, 3, 3, 3}, []int{4, 2, 3, 3})), ErrFormat, "[4 2 3 3]"},
		"flat kernel":        {file(t, nil, 1, shapes([]int{2, 3, 3, 0}, []int{4, 2, 1, 1})), ErrFormat, "[2 3 3 0]"},
		"NaN":                {file(t, nil, nan, good), ErrNotFinite, `"unet.q.lora_A.weight"`},
		"alpha of two":       {file(t, nil, 1, with("unet.q.alpha", 2)), ErrFormat, "single number"},
		"alpha not finite":   {file(t, header(peftKey, `{"unet.r": 2, "unet.lora_alpha": 1e300}`), 1, good), ErrNotFinite, "alpha"},
		"settings no JSON":   {file(t, header(peftKey, `{`), 1, good), ErrFormat, peftKey},
		"settings' types":    {file(t, header(peftKey, `{"unet.r": "2"}`), 1, good), ErrFormat, "LoraConfig"},
		"rank in settings":   {file(t, header(peftKey, `{"unet.r": 3}`), 1, good), ErrFormat, "rank 2, 3 in its LoraConfig"},
		"DoRA in settings":   {file(t, header(peftKey, `{"unet.r": 2, "unet.use_dora": true}`), 1, good), errors.ErrUnsupported, "DoRA"},
		"bad pattern":        {file(t, header(peftKey, `{"unet.r": 2, "unet.alpha_pattern": {"(": 1}}`), 1, good), ErrFormat, `"("`},
		"ours no JSON":       {file(t, header(ownKey, `x`), 1, good), ErrFormat, ownKey},
		"ours at weight 0":   {file(t, header(ownKey, `{"prefix":"unet","weight":1}`), 1, good), ErrFormat, "a weight is 0"},
		"another prefix":     {file(t, header(ownKey, `{"prefix":"x","weight":1,"scale_one":1}`), 1, good), ErrFormat, `begin with "x."`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(fstest.MapFS{"a": {Data: test.content}}, "a", nil, LoadOptions{})
			require.ErrorIs(t, err, test.is)
			require.ErrorContains(t, err, test.want)
		})
	}
	_, err := load(fstest.MapFS{"a": {Data: file(t, nil, 1, good)}}, "a", []Layer{{Name: "k", In: 3, Out: 4}}, LoadOptions{})
	require.ErrorIs(t, err, ErrMismatch)
	require.ErrorContains(t, err, `tensor "unet.q.lora_A.weight"`)
	require.ErrorContains(t, err, `nearest: "k"`)
	_, err = load(fstest.MapFS{"a": {Data: file(t, nil, 1, good)}}, "a", []Layer{{Name: "q", In: 3, Out: 5}}, LoadOptions{})
	require.ErrorIs(t, err, ErrMismatch)
	_, err = Load("testdata/absent.safetensors", nil)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "lora: load testdata/absent.safetensors")
}

func TestPEFTConfigBeside(t *testing.T) {
	shapes := map[string][]int{"base_model.model.q.lora_A.weight": {2, 3}, "base_model.model.q.lora_B.weight": {4, 2}}
	fsys := fstest.MapFS{"f/a": {Data: file(t, nil, 1, shapes)}}
	a, err := load(fsys, "f/a", nil, LoadOptions{})
	require.NoError(t, err)
	require.Equal(t, 1.0, scale(a.parts[0]), "without the settings alpha is the rank")
	fsys["f/adapter_config.json"] = &fstest.MapFile{Data: []byte(`{"r": 2, "lora_alpha": 6, "bias": "none"}`)}
	a, err = load(fsys, "f/a", nil, LoadOptions{})
	require.NoError(t, err)
	require.Equal(t, 3.0, scale(a.parts[0]))
	for _, text := range []string{`{`, `{"bias": "all"}`, `{"r": 2}` + strings.Repeat(" ", 1<<20)} {
		fsys["f/adapter_config.json"] = &fstest.MapFile{Data: []byte(text)}
		_, err = load(fsys, "f/a", nil, LoadOptions{})
		require.ErrorIs(t, err, ErrFormat)
		require.ErrorContains(t, err, "adapter_config.json")
	}
}
