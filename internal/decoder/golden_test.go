package decoder

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// tolerance for hidden states and logits, relative to the largest element, which
// is 3 to 12. The fixtures' README asks for 5e-5; we were within 1.5e-5.
const tolerance = 1e-5

// reference is a fixture of a vision-language model, of which we run the text model.
type reference struct {
	*golden.Fixture
	rt         *backends.Runtime
	m          *Decoder
	imageToken int32
}

// beside returns the fields of composite configurations that belong to others: all
// but a few around text_config, and some that we know where there is none.
func beside(object map[string]json.RawMessage) (names []string) {
	if object["text_config"] == nil {
		return []string{"vision_config", "image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id", "vision_token_id"}
	}
	for name := range object {
		if name != "text_config" && name != "model_type" && name != "tie_word_embeddings" {
			names = append(names, name)
		}
	}
	return names
}

// places are where checkpoints keep their text model and its head.
var places = struct{ text, head []string }{
	[]string{"language_model.model", "model.text_model", "model.language_model", "model"},
	[]string{"language_model.lm_head", "lm_head"},
}

func read(t testing.TB, rt *backends.Runtime, f *golden.Fixture, folder string) *reference {
	data, err := os.ReadFile(f.Path(folder + "/config.json"))
	require.NoError(t, err)
	var object map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(data, &object))
	cfg, err := ParseConfig(data, beside(object)...)
	require.NoError(t, err)
	r := &reference{Fixture: f, rt: rt}
	for _, name := range []string{"image_token_id", "image_token_index"} { // versions differ
		if value, ok := object[name]; ok {
			require.NoError(t, json.Unmarshal(value, &r.imageToken))
		}
	}
	var at weights.Cursor
	others := func(name string) bool { return !strings.HasPrefix(name, at.Path()+".") }
	err = weights.LoadTo(rt, os.DirFS(f.Folder), folder, weights.Root(rt.Store, "/verifier"), others,
		func(c weights.Cursor) {
			at = c.Layout("embed_tokens.weight", places.text...)
			r.m = NewWithHead(at, c.Layout("weight", places.head...), cfg)
		})
	require.NoError(t, err)
	return r
}

// TestGolden compares the text models of the verifiers with transformers.
func TestGolden(t *testing.T) {
	rt := golden.Runtime(t)
	for _, f := range golden.Fixtures(t, golden.Verifier) {
		t.Run(f.Name, func(t *testing.T) {
			var about struct{ Model string }
			f.Decode(t, &about)
			r := read(t, rt, f, about.Model)
			for _, name := range []string{"a", "b", "c", "ns", "a_bidir"} {
				if name == "a" || f.Has(name+".answer_logits") {
					t.Run(name, func(t *testing.T) { r.testCase(t, name) })
				}
			}
			if r.Has("gen.new_ids") {
				t.Run("gen", r.testGenerate)
			}
			t.Run("official", r.testOfficial)
		})
	}
}

// span is one case, on its way into the graph.
type span struct {
	embeds    *tensors.Tensor // [1, T, hidden]
	ids       []int32
	positions *tensors.Tensor   // [axes, T]
	groups    *tensors.Tensor   // [T]
	deep      []*tensors.Tensor // [1, T, hidden], for each of the first layers
}

func (s span) inputs() []any { return append([]any{s.embeds, s.positions, s.groups}, anys(s.deep)...) }

func anys(list []*tensors.Tensor) (out []any) {
	for _, x := range list {
		out = append(out, x)
	}
	return out
}

// of is the span as the inputs of a graph.
func of(in []*Node) Span { return Span{Embeds: in[0], Positions: in[1], Groups: in[2], Deep: in[3:]} }

// span reads a case: its embeddings or, where the fixture leaves them out, those of
// the words with the picture's features among them.
func (r *reference) span(t testing.TB, name string) span {
	s := span{ids: r.Ints(t, name+".input_ids")}
	if r.Has(name + ".inputs_embeds") {
		values, shape := r.Floats(t, name+".inputs_embeds")
		s.embeds = tensors.FromFlatDataAndDimensions(values, append([]int{1}, shape...)...)
	} else {
		s.embeds = r.embeds(t, name, s.ids)
	}
	switch {
	case r.Has(name + ".position_ids"):
		s.positions = tensors.FromFlatDataAndDimensions(r.Ints(t, name+".position_ids"), 3, len(s.ids))
	case r.Has("a.position_ids"): // about the same picture
		s.positions = r.extend(t, len(s.ids))
	}
	s.complete(name == "a_bidir", r.imageToken)
	for _, key := range []string{name + ".deepstack_features", "a.deepstack_features"} {
		if r.Has(key) {
			s.deepen(t, r.Fixture, key, r.imageToken)
			break
		}
	}
	return s
}

// deepen puts a fixture's vectors for the first layers at the image tokens.
func (s *span) deepen(t testing.TB, f *golden.Fixture, key string, imageToken int32) {
	features, shape := f.Floats(t, key) // [layers, image tokens, hidden]
	hidden := shape[2]
	for range shape[0] {
		all := make([]float32, len(s.ids)*hidden)
		for i, id := range s.ids {
			if id == imageToken {
				features = features[copy(all[i*hidden:(i+1)*hidden], features):]
			}
		}
		s.deep = append(s.deep, tensors.FromFlatDataAndDimensions(all, 1, len(s.ids), hidden))
	}
	require.Empty(t, features)
}

// embeds puts the picture's features, or those of a, whose picture is the same,
// among the words' vectors.
func (r *reference) embeds(t testing.TB, name string, ids []int32) *tensors.Tensor {
	key := name + ".projector_output"
	if !r.Has(key) {
		require.NotEqual(t, "ns", name, "this one has another picture")
		key = "a.projector_output"
	}
	features, _ := r.Floats(t, key)
	words := golden.Run(t, r.rt, func(in []*Node) golden.Outputs {
		return golden.Outputs{"words": r.m.Embed(nn.Pass{}, in[0], r.rt.DType)}
	}, [][]int32{ids}).Floats(t, "words")
	h := r.m.config.Hidden
	for i, id := range ids {
		if id == r.imageToken {
			features = features[copy(words[i*h:(i+1)*h], features):]
		}
	}
	require.Empty(t, features)
	return tensors.FromFlatDataAndDimensions(words, 1, len(ids), h)
}

// complete fills in plain positions and the groups.
func (s *span) complete(bidirectional bool, imageToken int32) {
	n := len(s.ids)
	plain, groups := make([]int32, n), make([]int32, n)
	for i := range plain {
		plain[i] = int32(i)
		if bidirectional && s.ids[i] == imageToken {
			groups[i] = 1
		}
	}
	if s.positions == nil {
		s.positions = tensors.FromFlatDataAndDimensions(plain, 1, n)
	}
	s.groups = tensors.FromFlatDataAndDimensions(groups, n)
}

func (r *reference) testCase(t *testing.T, name string) {
	s := r.span(t, name)
	got := golden.Run(t, r.rt, func(in []*Node) golden.Outputs {
		f := nn.Pass{Recorder: &nn.Recorder{}}
		h, _ := r.m.Apply(f, of(in[1:]), nil)
		out := golden.Outputs{"final_norm": h, "logits": r.m.Logits(f, h), "embeds": Sub(r.m.Embed(f, in[0], in[1].DType()), in[1])}
		if r.Has(name + ".decoder_layers") {
			for _, l := range r.m.layers {
				out[l.name] = f.Recorder.Output(l.name)
			}
		}
		return out
	}, append([]any{[][]int32{s.ids}}, s.inputs()...)...)
	size := len(s.ids) * r.m.config.Hidden
	if r.Has(name + ".decoder_layers") {
		layers, _ := r.Floats(t, name+".decoder_layers")
		require.Len(t, layers, r.m.config.Layers*size)
		for i, l := range r.m.layers {
			near(t, got.Floats(t, l.name), layers[i*size:(i+1)*size])
		}
	}
	logits := got.Floats(t, "logits")
	for key, values := range map[string][]float32{"final_norm": got.Floats(t, "final_norm"), "logits": logits} {
		if r.Has(name + "." + key) {
			r.near(t, name+"."+key, values)
		}
	}
	r.near(t, name+".answer_logits", r.answers(r.Ints(t, name+".label_positions"), logits))
	for i, id := range s.ids {
		if id != r.imageToken {
			for _, d := range got.Floats(t, "embeds")[i*r.m.config.Hidden : (i+1)*r.m.config.Hidden] {
				require.InDelta(t, 0, d, 1e-5, "embedding of token %d", i)
			}
		}
	}
}

func (r *reference) near(t *testing.T, key string, got []float32) {
	t.Helper()
	want, _ := r.Floats(t, key)
	near(t, got, want)
}

func near(t *testing.T, got, want []float32) {
	t.Helper()
	require.NoError(t, golden.Close(got, want, tolerance))
}

// answers picks the logits that predict the answer.
func (r *reference) answers(labels []int32, logits []float32) (rows []float32) {
	v := r.m.config.Vocabulary
	for _, at := range labels {
		rows = append(rows, logits[(int(at)-1)*v:int(at)*v]...)
	}
	return rows
}

// extend continues a's positions, which end in text, to n tokens.
func (r *reference) extend(t testing.TB, n int) *tensors.Tensor {
	old := r.Ints(t, "a.position_ids")
	size := len(old) / 3
	var all []int32
	for axis := range 3 {
		row := slices.Clone(old[axis*size : (axis+1)*size])
		for len(row) < n {
			row = append(row, row[len(row)-1]+1)
		}
		all = append(all, row[:n]...)
	}
	return tensors.FromFlatDataAndDimensions(all, 3, n)
}

// testOfficial runs the cases of the model's own processing that have embeddings.
func (r *reference) testOfficial(t *testing.T) {
	f := r.Beside(t, "official"+r.Variant())
	if f == nil {
		t.Skip("the fixture has none")
	}
	ran := 0
	for _, key := range f.Keys() {
		name, ok := strings.CutSuffix(key, "/inputs_embeds")
		if !ok {
			continue
		}
		ran++
		values, shape := f.Floats(t, key)
		s := span{embeds: tensors.FromFlatDataAndDimensions(values, append([]int{1}, shape...)...), ids: f.Ints(t, name+"/input_ids")}
		if f.Has(name + "/position_ids") {
			s.positions = tensors.FromFlatDataAndDimensions(f.Ints(t, name+"/position_ids"), 3, shape[0])
		}
		s.complete(f.Has(name+"/token_type_ids"), r.imageToken)
		if f.Has(name + "/deepstack_features") {
			s.deepen(t, f, name+"/deepstack_features", r.imageToken)
		}
		got := golden.Run(t, r.rt, func(in []*Node) golden.Outputs {
			h, _ := r.m.Apply(nn.Pass{}, of(in), nil)
			return golden.Outputs{"logits": r.m.Logits(nn.Pass{}, h)}
		}, s.inputs()...).Floats(t, "logits")
		near(t, r.answers(f.Ints(t, name+"/label_positions"), got), floats(t, f, name+"/answer_logits"))
		if f.Has(name + "/logits") {
			near(t, got, floats(t, f, name+"/logits"))
		}
	}
	require.NotZero(t, ran)
}
