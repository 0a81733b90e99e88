package decoder

import (
	"fmt"
	"os"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// testStates compares the hidden states behind every layer, of a whole model and of
// one that has only the first layers; of padded rows and of the same without their
// padding, or with it on the left.
func testStates(t *testing.T, rt *backends.Runtime, f *golden.Fixture, cfg Config, m *Decoder) {
	const batch = 2
	inputs := kindInputs(t, f)
	got := golden.Run(t, rt, func(in []*Node) golden.Outputs {
		s := kindSpan(m, in)
		last, _ := m.Apply(nn.Pass{}, s, nil)
		states := m.States(nn.Pass{}, s, append(upTo(cfg.Layers), cfg.Layers)...)
		return golden.Outputs{
			"hidden_states": Stack(append(states[:cfg.Layers:cfg.Layers], last), 0), "last_layer": states[cfg.Layers],
		}
	}, inputs...)
	near(t, got.Floats(t, "hidden_states"), floats(t, f, "hidden_states"))
	near(t, got.Floats(t, "last_layer"), floats(t, f, "last_layer"))

	layers := max(1, cfg.Layers/2)
	first := readFirst(t, rt, f, cfg, layers)
	for r := range batch {
		testFirst(t, rt, f, first, layers, fmt.Sprintf("unpadded.%d.", r), row(inputs, r, batch))
	}
	if f.Has("left.input_ids") {
		testFirst(t, rt, f, first, layers, "left.", []any{[][]int32{f.Ints(t, "left.input_ids")}, [][]int32{f.Ints(t, "left.attention_mask")}})
	}
}

// upTo are the numbers from 0 to n-1.
func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// kindSpan is what kindInputs are in a graph.
func kindSpan(m *Decoder, in []*Node) Span {
	s := Span{Embeds: m.Embed(nn.Pass{}, in[0], m.words.Weight.Shape().DType), Valid: GreaterThan(in[1], ZerosLike(in[1]))}
	if len(in) > 2 {
		s.Positions = in[2]
	}
	return s
}

func readFirst(t *testing.T, rt *backends.Runtime, f *golden.Fixture, cfg Config, layers int) (m *Decoder) {
	require.NoError(t, weights.LoadTo(rt, os.DirFS(f.Folder), ".", "/first", Leftover(layers), func(c weights.Cursor) {
		m = NewFirst(c.Layout("embed_tokens.weight", "", "model"), cfg, layers)
	}))
	require.Equal(t, layers, m.Config().Layers)
	return m
}

// row is one row of the inputs without its padding, which is on the right.
func row(inputs []any, r, batch int) []any {
	ids, mask := tensors.MustCopyFlatData[int32](inputs[0].(*tensors.Tensor)), tensors.MustCopyFlatData[int32](inputs[1].(*tensors.Tensor))
	length, n := len(ids)/batch, 0
	for _, real := range mask[r*length : (r+1)*length] {
		n += int(real)
	}
	cut := func(values []int32) []int32 { return values[r*length : r*length+n] }
	one := []any{[][]int32{cut(ids)}, [][]int32{cut(mask)}}
	if len(inputs) > 2 {
		positions := tensors.MustCopyFlatData[int32](inputs[2].(*tensors.Tensor))
		var axes [][][]int32
		for axis := range 3 {
			axes = append(axes, [][]int32{cut(positions[axis*len(ids):])})
		}
		one = append(one, axes)
	}
	return one
}

// testFirst compares the states behind the first layers at the real tokens, which are
// the last ones.
func testFirst(t *testing.T, rt *backends.Runtime, f *golden.Fixture, m *Decoder, layers int, prefix string, inputs []any) {
	got := golden.Run(t, rt, func(in []*Node) golden.Outputs {
		return golden.Outputs{"state": m.States(nn.Pass{}, kindSpan(m, in), layers)[0]}
	}, inputs...).Floats(t, "state")
	want, shape := f.Floats(t, prefix+"hidden_states")
	size := shape[1] * shape[2]
	near(t, got[len(got)-size:], want[layers*size:(layers+1)*size])
}
