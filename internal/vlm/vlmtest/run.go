package vlmtest

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
)

// run is everything computed about pictures of one size and some questions.
type run struct {
	of       *reference
	verifier *vlm.Verifier
	picture  vision.Size
	batch    int
	prefix   string // of the fixture's keys
	paper    bool
	fixture  *golden.Fixture
	loose    map[int]float64

	ids     [][]int // whole sequences, per question
	labels  [][]int // their labels' positions, per question
	results golden.Results
}

// start asks questions about pictures [B, 3, H, W], all together. The intermediate
// results are those of the first question.
func (r *run) start(t *testing.T, pictures *tensors.Tensor, questions ...dualprocess.Question) {
	r.picture, r.batch = sizeOf(pictures), pictures.Shape().Dim(0)
	before, err := vlm.Prefix(r.verifier, r.picture)
	require.NoError(t, err)
	inputs := []any{pictures}
	for _, q := range questions {
		in, err := r.verifier.Prepare(t.Context(), q, r.picture.Height, r.picture.Width)
		require.NoError(t, err)
		r.take(before, in)
		for _, x := range in {
			inputs = append(inputs, x)
		}
	}
	r.results = golden.Run(t, r.of.rt, func(in []*Node) golden.Outputs { return r.build(in[0], in[1:]) }, inputs...)
}

// has says whether the fixture has one of some keys. What it does not have is not
// computed: compiling takes longest.
func (r *run) has(parts ...string) bool {
	return slices.ContainsFunc(parts, func(part string) bool { return r.fixture.Has(r.prefix + part) })
}

// ofLoss are the keys that are compared wherever anything is. What stands between is
// compared where every case is, as compiling it takes as long again.
var ofLoss = []string{"loss", "prob", "log_prob_yes", "log_prob_no", "grad_image"}

// traced are the keys of intermediate results that every model has.
var traced = []string{"answer_logits", "logits", "inputs_embeds", "pixel_values", "grad_pixel_values", "position_ids"}

// take notes the ids and the labels of a prepared question.
func (r *run) take(before []int, in dualprocess.Inputs) {
	ids, labels := slices.Clone(before), []int{}
	for _, id := range tensors.MustCopyFlatData[int32](in[0]) {
		ids = append(ids, int(id))
	}
	for _, position := range tensors.MustCopyFlatData[int32](in[1]) {
		labels = append(labels, len(before)+int(position)+1)
	}
	r.ids, r.labels = append(r.ids, ids), append(r.labels, labels)
}

// build computes losses and gradients the fast way, and intermediate results the
// reference's way.
func (r *run) build(pictures *Node, in []*Node) golden.Outputs {
	out := golden.Outputs{}
	image := TransposeAllAxes(pictures, 0, 2, 3, 1)
	questions := make([][]*Node, len(r.ids))
	for k := range questions {
		questions[k] = in[4*k : 4*k+4]
	}
	logP := r.verifier.LogProbs(image, questions)
	for k, x := range logP {
		out[fmt.Sprint("log_prob ", k)] = x
	}
	if r.has("grad_image") {
		loss := Neg(ReduceAllMean(Stack(logP, 0)))
		if r.official() {
			loss = Neg(ReduceAllMean(logP[0]))
		}
		out["grad_image"] = Gradient(loss, pictures)[0]
	}
	if r.of.wanted("") && r.has(traced...) {
		maps.Copy(out, r.trace(image, questions[0]))
	}
	return out
}

// trace computes intermediate results the reference's way.
func (r *run) trace(image *Node, question []*Node) golden.Outputs {
	f := nn.Pass{Recorder: &nn.Recorder{}}
	logits := vlm.Trace(r.verifier, f, image, question)
	positions := make([]int32, len(r.labels[0]))
	for i, at := range r.labels[0] {
		positions[i] = int32(at - 1)
	}
	chosen := Einsum("ls,bsv->blv", OneHot(Const(image.Graph(), positions), logits.Shape().Dim(1), logits.DType()), logits)
	targets := OneHot(question[2], logits.Shape().Dim(2), dtypes.Float32)
	loss := Neg(ReduceAllMean(ReduceSum(Mul(LogSoftmax(chosen, -1), InsertAxes(targets, 0)), -1)))
	out := r.recorded(f.Recorder)
	out["logits"], out["answer_logits"] = logits, chosen
	if r.has("grad_pixel_values") {
		out["grad_pixel_values"] = Gradient(loss, f.Recorder.Output("pixel_values"))[0]
	}
	return out
}

// recorded are the outputs of modules for the keys of the fixture; those that hold
// the outputs of all blocks are computed of all blocks that there are.
func (r *run) recorded(recorder *nn.Recorder) golden.Outputs {
	out := r.fixture.Recorded(r.prefix, recorder, "")
	take := func(name, module string) bool {
		x := recorder.Output(module)
		if x != nil {
			out[name] = x
		}
		return x != nil
	}
	take("position_ids", "position_ids") // rope_delta follows from them
	decoder := strings.TrimPrefix(vlm.Pieces(r.verifier).Decoder.Name()+".", ".")
	take("final_norm", decoder+"norm")
	for key, module := range map[string]string{"vision_blocks": "vision_blocks.", "decoder_layers": decoder + "layers."} {
		for i := 0; r.has(key) && take(fmt.Sprint(key, ".", i), fmt.Sprint(module, i)); i++ {
		}
	}
	return out
}

// official says whether the second question only asks for the probability of No.
func (r *run) official() bool { return strings.HasSuffix(r.prefix, "/") }

// compare compares every key of the fixture that begins with the run's prefix.
func (r *run) compare(t *testing.T) {
	found := false
	for _, key := range r.fixture.Keys() {
		if part, ok := strings.CutPrefix(key, r.prefix); ok && (r.of.wanted("") || slices.Contains(ofLoss, part)) {
			found = true
			t.Run(part, func(t *testing.T) { r.compareKey(t, key, part) })
		}
	}
	require.True(t, found, "no keys %s*", r.prefix)
}

func (r *run) compareKey(t *testing.T, key, part string) {
	switch part {
	case "image", "images": // the input
		r.fixture.Floats(t, key)
		return
	case "attention_mask", "pixel_attention_mask": // nothing is padded
		for _, x := range r.fixture.Ints(t, key) {
			require.EqualValues(t, 1, x)
		}
		return
	}
	c := Case{strings.TrimRight(r.prefix, "./"), r.of.folder(), r.fixture, r.paper, r.verifier, r.picture, r.results}
	if r.of.Whole != nil {
		if values, ok := r.of.Whole(c)[part]; ok {
			require.Equal(t, r.fixture.Ints(t, key), slices.Repeat(values, r.batch))
			return
		}
	}
	if r.of.Result != nil {
		if values := r.of.Result(t, c, part); values != nil {
			r.near(t, key, part, values)
			return
		}
	}
	if values, ok := r.integers(part); ok {
		require.Equal(t, r.fixture.Ints(t, key), values)
		return
	}
	r.near(t, key, part, r.floats(t, key, part))
}

func (r *run) near(t *testing.T, key, part string, got []float32) {
	want, _ := r.fixture.Floats(t, key)
	var loose map[int]float64
	if part == "grad_image" {
		loose = r.loose
	}
	near(t, got, want, of(part, want), loose)
}

// integers are what follows from the ids alone.
func (r *run) integers(part string) (values []int32, ok bool) {
	ids := r.ids[0]
	switch part {
	case "no_input_ids":
		ids = r.ids[1]
		fallthrough
	case "input_ids":
		for range r.batch {
			values = append(values, int32s(ids)...)
		}
	case "label_positions":
		values = int32s(r.labels[0])
	case "label_mask":
		values = make([]int32, len(ids))
		for _, at := range r.labels[0] {
			values[at] = 1
		}
	case "token_type_ids", "mm_token_type_ids":
		values = make([]int32, r.batch*len(ids))
		for i := range values {
			if ids[i%len(ids)] == vlm.Pieces(r.verifier).Image {
				values[i] = 1
			}
		}
	case "position_ids", "rope_delta":
		return r.positions(part)
	default:
		return nil, false
	}
	return values, true
}

// positions are those of the rotary embedding.
func (r *run) positions(part string) (values []int32, ok bool) {
	at, ok := r.results["position_ids"]
	if !ok {
		return nil, false
	}
	for _, x := range tensors.MustCopyFlatData[float32](at) {
		values = append(values, int32(x))
	}
	if part == "rope_delta" {
		return []int32{slices.Max(values) + 1 - int32(len(r.ids[0]))}, true
	}
	return values, true
}

// floats are what was computed.
func (r *run) floats(t *testing.T, key, part string) []float32 {
	logP := func(k int) []float32 { return r.results.Floats(t, fmt.Sprint("log_prob ", k)) }
	switch part {
	case "log_prob_yes", "log_prob_no":
		k := map[string]int{"log_prob_yes": 0, "log_prob_no": 1}[part]
		return []float32{logP(k)[0] * float32(len(r.labels[k]))}
	case "losses":
		return each(logP(0), func(x float64) float64 { return -x })
	case "loss":
		return []float32{-mean(r.asked(logP))}
	case "prob", "probs":
		return each(r.asked(logP), math.Exp)
	case "vision_blocks":
		return r.layers(t, key, "vision_blocks.", r.of.Unused)
	case "decoder_layers":
		return r.layers(t, key, "decoder_layers.", 0)
	}
	require.Contains(t, r.results, part, "nobody computes this")
	x := r.results[part]
	if d := x.Shape().Dimensions; len(d) == 4 && d[3] == 3 {
		return tensors.MustCopyFlatData[float32](channelsFirstTensor(x))
	}
	return tensors.MustCopyFlatData[float32](x)
}

// asked are the log-probabilities that the loss is the mean of: of each picture, or
// of each question. Of the official cases the second question only asks for the
// probability of No.
func (r *run) asked(logP func(k int) []float32) []float32 {
	if r.official() {
		return logP(0)
	}
	var all []float32
	for k := range r.ids {
		all = append(all, logP(k)...)
	}
	return all
}

// layers joins the outputs of all blocks. The fixture may have more: blocks that
// the model does not need.
func (r *run) layers(t *testing.T, key, name string, unused int) (all []float32) {
	want, shape := r.fixture.Floats(t, key)
	for i := range shape[0] - unused {
		all = append(all, r.results.Floats(t, fmt.Sprint(name, i))...)
	}
	require.NotContains(t, r.results, fmt.Sprint(name, shape[0]-unused))
	return append(all, want[len(want)-unused*len(want)/shape[0]:]...)
}

func mean(values []float32) float32 {
	sum := 0.
	for _, x := range values {
		sum += float64(x)
	}
	return float32(sum / float64(len(values)))
}

func each(values []float32, f func(float64) float64) []float32 {
	out := make([]float32, len(values))
	for i, x := range values {
		out[i] = float32(f(float64(x)))
	}
	return out
}
