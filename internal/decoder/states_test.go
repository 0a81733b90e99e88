package decoder

import (
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/stretchr/testify/assert"

	"github.com/dualprocess/dualprocess-go/internal/nn"
)

// TestDeep: what is added behind a layer is what the next one reads, in parts of a
// sequence as in the whole.
func TestDeep(t *testing.T) {
	b := newBench(t, "go", kinds()["qwen3"], dtypes.Float32)
	out := b.run(t, func(in Span, more []*Node) []*Node {
		in.Groups = nil
		in.Deep = []*Node{more[0], MulScalar(more[0], -2)}
		whole, _ := b.m.Apply(nn.Pass{}, in, nil)
		first, second := part(in, 0, cut), part(in, cut, length)
		for _, x := range in.Deep {
			first.Deep = append(first.Deep, Slice(x, AxisRange(), AxisRange(0, cut)))
			second.Deep = append(second.Deep, Slice(x, AxisRange(), AxisRange(cut)))
		}
		h1, past := b.m.Apply(nn.Pass{}, first, nil)
		h2, _ := b.m.Apply(nn.Pass{}, second, past)
		plain := in
		plain.Deep = nil
		before, after := b.m.States(nn.Pass{}, plain, 1)[0], b.m.States(nn.Pass{}, in, 1)[0]
		return []*Node{whole, Concatenate([]*Node{h1, h2}, 1), Sub(after, before), more[0]}
	}, b.sequence(2))
	close(t, [][]float32{out[0], out[3]}, [][]float32{out[1], out[2]})
}

// TestMisuseOfLayers: what the model's layers cannot do is a panic that says so.
func TestMisuseOfLayers(t *testing.T) {
	b := newBench(t, "go", kinds()["qwen"], dtypes.Float32)
	for want, build := range map[string]func(in Span){
		"for 4 layers": func(in Span) {
			in.Deep = []*Node{in.Embeds, in.Embeds, in.Embeds, in.Embeds}
			b.m.Apply(nn.Pass{}, in, nil)
		},
		"want (Float32)[2, 9, 24] as embeds": func(in Span) {
			in.Deep = []*Node{Slice(in.Embeds, AxisRange(), AxisRange(0, cut))}
			b.m.Apply(nn.Pass{}, in, nil)
		},
		"behind 4 layers of 3": func(in Span) { b.m.States(nn.Pass{}, in, 0, 4) },
		"no last norm":         func(in Span) { (&Decoder{config: b.m.config}).Apply(nn.Pass{}, in, nil) },
	} {
		t.Run(want, func(t *testing.T) { b.panics(t, want, build) })
	}
}

func TestLeftover(t *testing.T) {
	for name, accepted := range map[string]bool{
		"model.layers.9.mlp.up_proj.weight": true, "model.layers.10.mlp.up_proj.weight": true, "layers.9.x": true,
		"model.norm.weight": true, "norm.weight": true, "lm_head.weight": true,
		"model.layers.8.mlp.up_proj.weight": false, "model.layers.x.weight": false, "model.embed_tokens.weight": false, "other": false,
	} {
		assert.Equal(t, accepted, Leftover(9)(name), name)
	}
}
