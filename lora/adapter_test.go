package lora

import (
	"math"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/gobackend"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"
)

var twoLayers = []Layer{
	{Name: "blocks.0.attn.to_q", In: 300, Out: 20},
	{Name: "blocks.0.conv", In: 8, Out: 4, Kernel: [2]int{3, 3}},
}

func TestNewDefaults(t *testing.T) {
	a, err := New(Config{}, twoLayers)
	require.NoError(t, err)
	require.Equal(t, twoLayers, a.Layers())
	require.Equal(t, 5.0, a.Weight())
	require.Equal(t, "2 layers, rank 16, 6336 numbers, weight 5", a.String())
	var dims [][]int
	for _, p := range a.Params() {
		require.Equal(t, dtypes.Float32, p.DType())
		dims = append(dims, p.Shape().Dimensions)
	}
	require.Equal(t, [][]int{{16, 300}, {20, 16}, {16, 8, 3, 3}, {4, 16, 1, 1}}, dims)
	for _, p := range a.parts {
		require.Equal(t, 8.0, p.alpha)
		require.Equal(t, make([]float32, len(p.b)), p.b, "B starts at zero")
	}
	deviation(t, 1.0/16, a.parts[0].a)
	fan, err := New(Config{Init: FanIn, Rank: 50}, twoLayers)
	require.NoError(t, err)
	deviation(t, 1/math.Sqrt(300), fan.parts[0].a)
	deviation(t, 1/math.Sqrt(72), fan.parts[1].a)
}

func deviation(t *testing.T, want float64, values []float32) {
	t.Helper()
	var sum, squares float64
	for _, v := range values {
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	n := float64(len(values))
	require.InDelta(t, 0, sum/n, 4*want/math.Sqrt(n))
	require.InEpsilon(t, want, math.Sqrt(squares/n), 3/math.Sqrt(n))
}

func TestNewIsDeterministic(t *testing.T) {
	a, err := New(Config{Seed: 7}, twoLayers)
	require.NoError(t, err)
	turned := slices.Clone(twoLayers)
	slices.Reverse(turned)
	b, err := New(Config{Seed: 7}, append(turned, Layer{Name: "another", In: 1, Out: 1}))
	require.NoError(t, err)
	require.Equal(t, a.parts[0], b.parts[1], "neither order nor company matters")
	require.Equal(t, a.parts[1], b.parts[2])
	c, err := New(Config{Seed: 8}, twoLayers)
	require.NoError(t, err)
	require.NotEqual(t, a.parts[0].a, c.parts[0].a)
	// Pinned: the same task must give the same adapter file years from now.
	require.Equal(t, []float32{0.061519016, 0.121280506}, a.parts[0].a[:2])
}

func TestNewRefuses(t *testing.T) {
	one := []Layer{{Name: "q", In: 1, Out: 1}}
	for want, test := range map[string]struct {
		cfg    Config
		layers []Layer
	}{
		"Rank -1":       {Config{Rank: -1}, one},
		"Alpha -2":      {Config{Alpha: -2}, one},
		"Alpha NaN":     {Config{Alpha: math.NaN()}, one},
		"Alpha +Inf":    {Config{Alpha: math.Inf(1)}, one},
		"Init 9":        {Config{Init: 9}, one},
		"no layers":     {Config{}, nil},
		"given twice":   {Config{}, append(one, one...)},
		"impossible":    {Config{}, []Layer{{Name: "q", In: 0, Out: 1}}},
		`layer " 1→1"`:  {Config{}, []Layer{{In: 1, Out: 1}}},
		`"c 3×0 1→1"`:   {Config{}, []Layer{{Name: "c", In: 1, Out: 1, Kernel: [2]int{3, 0}}}},
		`target "["`:    {Config{Targets: []string{"["}}, one},
		`target "to_k"`: {Config{Targets: []string{"q", "to_k"}}, one},
	} {
		_, err := New(test.cfg, test.layers)
		require.ErrorIs(t, err, ErrConfig, want)
		require.ErrorContains(t, err, want)
	}
}

func TestMatches(t *testing.T) {
	for _, test := range []struct {
		pattern, name string
		want          bool
	}{
		{"to_q", "to_q", true},
		{"to_q", "blocks.0.attn.to_q", true},
		{"to_q", "blocks.0.attn.proj_to_q", false},
		{"to_q", "to_q.0", false},
		{"attn.to_q", "attn.to_q", true},
		{"attn.to_q", "a.attn.to_q", true},
		{"attn.to_q", "to_q", false},
		{"ff.net.2", "blocks.0.ff_context.net.2", false},
		{"attn.to_*", "a.attn.to_k", true},
		{"attn.to_*", "a.attn.to_out.0", false},
		{"attn.to_*.*", "a.attn.to_out.0", true},
		{"transformer_blocks.*.attn.to_q", "transformer_blocks.12.attn.to_q", true},
		{"transformer_blocks.*.attn.to_q", "single_transformer_blocks.12.attn.to_q", false},
		{"blocks.[0-3].ff", "blocks.2.ff", true},
		{"blocks.[0-3].ff", "blocks.4.ff", false},
		{"*", "any.thing", true},
	} {
		got, err := matches(test.pattern, test.name)
		require.NoError(t, err)
		require.Equal(t, test.want, got, "%s %s", test.pattern, test.name)
	}
	for _, pattern := range []string{"[", "a.[.b.c.d", "x.["} {
		_, err := matches(pattern, "y.z")
		require.Error(t, err, pattern)
	}
}

func TestTargetNearest(t *testing.T) {
	layers := []Layer{}
	for _, name := range []string{"b.0.attn.to_q", "b.0.attn.to_k", "b.1.attn.to_q", "b.0.mlp.up", "head"} {
		layers = append(layers, Layer{Name: name, In: 1, Out: 1})
	}
	_, err := New(Config{Targets: []string{"attn.to_qq"}}, layers)
	require.ErrorContains(t, err, `target "attn.to_qq" matches no layer; nearest: "b.0.attn.to_q", "b.1.attn.to_q", "b.0.attn.to_k"`)
	a, err := New(Config{Targets: []string{"to_q", "attn.*"}}, layers)
	require.NoError(t, err)
	require.Len(t, a.Layers(), 3, "two patterns may match one layer")
}

func TestWithParams(t *testing.T) {
	a, err := New(Config{Rank: 2}, []Layer{{Name: "q", In: 3, Out: 2}})
	require.NoError(t, err)
	params := a.Params()
	params[1] = tensors.FromFlatDataAndDimensions([]float32{1, 2, 3, 4}, 2, 2)
	b, err := a.WithParams(params)
	require.NoError(t, err)
	require.Equal(t, []float32{1, 2, 3, 4}, b.parts[0].b)
	require.Equal(t, make([]float32, 4), a.parts[0].b, "the first adapter is as it was")
	tensors.MustMutableFlatData(params[1], func(flat []float32) { flat[0] = 9 })
	require.Equal(t, float32(1), b.parts[0].b[0], "numbers are copied")
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
		params[1] = tensors.FromFlatDataAndDimensions([]float32{1, 2, bad, 4}, 2, 2)
		_, err = a.WithParams(params)
		require.ErrorIs(t, err, ErrNotFinite)
		require.ErrorContains(t, err, `B of layer "q"`)
	}
	for _, bad := range [][]*tensors.Tensor{
		params[:1],
		{params[0], tensors.FromFlatDataAndDimensions(make([]float32, 4), 4)},
		{params[0], tensors.FromFlatDataAndDimensions(make([]float64, 4), 2, 2)},
		{params[1], params[0]},
	} {
		_, err = a.WithParams(bad)
		require.ErrorIs(t, err, ErrMismatch)
	}
}

func TestFits(t *testing.T) {
	a, err := New(Config{}, twoLayers[:1])
	require.NoError(t, err)
	require.NoError(t, a.Fits(twoLayers))
	err = a.Fits(twoLayers[1:])
	require.ErrorIs(t, err, ErrMismatch)
	require.ErrorContains(t, err, `no layer "blocks.0.attn.to_q"; nearest: "blocks.0.conv"`)
	require.ErrorContains(t, a.Fits(nil), "nearest: none")
	other := twoLayers[0]
	other.Out++
	require.ErrorIs(t, a.Fits([]Layer{other}), ErrMismatch)
	other = twoLayers[0]
	other.Kernel = [2]int{1, 1}
	require.ErrorIs(t, a.Fits([]Layer{other}), ErrMismatch)
}

// TestPanics builds graphs that cannot be right; each panic names the layer.
func TestPanics(t *testing.T) {
	backend, err := gobackend.New("ops_sequential")
	require.NoError(t, err)
	defer backend.Finalize()
	g := NewGraph(backend, t.Name())
	node := func(dims ...int) *Node {
		return Zeros(g, tensors.FromFlatDataAndDimensions(make([]float32, product(dims)), dims...).Shape())
	}
	a, err := New(Config{Rank: 2}, []Layer{{Name: "q", In: 3, Out: 4}, {Name: "c", In: 3, Out: 4, Kernel: [2]int{3, 3}}})
	require.NoError(t, err)
	params := []*Node{node(2, 3, 3, 3), node(4, 2, 1, 1), node(2, 3), node(4, 2)}
	weight := Scalar(g, dtypes.Float32, 1)
	d := a.Delta(params, weight)
	wrong := func(_, kernel *Node) *Node { return kernel }
	for want, f := range map[string]func(){
		"3 parameters":              func() { a.Delta(params[:3], weight) },
		"not a float scalar":        func() { a.Delta(params, node(1)) },
		"(Int32), not a float":      func() { a.Delta(params, Scalar(g, dtypes.Int32, 1)) },
		`layer "q" has A (Float32)`: func() { a.Delta([]*Node{params[0], params[1], params[3], params[2]}, weight) },
		`adapter for q 3→4`:         func() { d.Linear("q", node(5, 2), node(5, 4)) },
		"layer is q 3→5":            func() { d.Linear("q", node(5, 3), node(5, 5)) },
		`layer "q" maps`:            func() { d.Linear("q", node(5, 3), node(6, 4)) },
		"not a linear layer":        func() { d.Linear("x", node(3), node(1, 4)) },
		"layer is c 3→4":            func() { d.Linear("c", node(5, 3), node(5, 4)) },
		"not a convolution":         func() { d.Conv("c", node(1, 3), node(1, 4), Convolution{Kernel: [2]int{3, 3}}) },
		"kernel of [0 0]":           func() { d.Conv("c", node(1, 5, 5, 3), node(1, 5, 5, 4), Convolution{}) },
		"layer is c 1×1 3→4":        func() { d.Conv("c", node(1, 5, 5, 3), node(1, 5, 5, 4), Convolution{Kernel: [2]int{1, 1}}) },
		`layer "c": Apply gave`:     func() { d.Conv("c", node(1, 5, 5, 3), node(1, 5, 5, 4), Convolution{[2]int{3, 3}, false, wrong}) },
		"no name":                   func() { Record().Delta().Linear("", node(1, 1), node(1, 1)) },
		`layer "l" is both l 1→1 and l`: func() {
			r := Record().Delta()
			r.Linear("l", node(1, 1), node(1, 1))
			r.Linear("l", node(1, 1), node(1, 2))
		},
	} {
		message := func() (message string) {
			defer func() { message, _ = errorText(recover()) }()
			f()
			return ""
		}()
		require.Contains(t, message, want)
		require.Contains(t, message, "lora: ")
	}
}

func errorText(v any) (string, bool) {
	err, ok := v.(error)
	if !ok {
		return "", false
	}
	return err.Error(), true
}

func product(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}
