package training

import (
	"math/rand/v2"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/pocket/teaching"
	"github.com/dualprocess/dualprocess-go/internal/pocket/vqa"
	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// verifier is the vision-language model in training.
type verifier struct {
	config   vqa.Config
	vision   *vqa.Vision
	language *vqa.Language
	facts    *nn.Linear // regressions on the read-out; only the training has them
	source   *initial
	words    *vocabulary
	codec    *codec // nil until pictures are decoded
	examiner examiner
	pool     *picturePool // nil until there are generated pictures
}

func newVerifier(rt *backends.Runtime, seed uint64) (*verifier, error) {
	words, attributes := questionVocabulary(), teaching.Attributes()
	cfg := vqa.DefaultConfig(len(words.words))
	source := &initial{store: rt.Store, root: "/verifier", seed: seed}
	c := weights.NewCursor(source)
	v := &verifier{
		config:   cfg,
		vision:   vqa.NewVision(c.In("vision_model"), cfg),
		language: vqa.NewLanguage(c.In("language_model"), cfg),
		facts:    nn.NewLinear(c.In("facts"), cfg.ReadoutWidth, quantities+len(attributes), nn.Bias),
		source:   source,
		words:    words,
		examiner: examiner{words: words, maxWords: cfg.MaxWords, attributes: attributes},
	}
	return v, c.Err()
}

// Shares of what the verifier is shown.
const (
	absentShare   = 0.18 // something is missing
	composedShare = 0.08 // of the others: a tree and a field under a composition
	ruinedShare   = 0.22 // damage that counts
	decodedShare  = 0.75 // seen through the autoencoder, once there is one
	pooledShare   = 0.35 // made by the generator, once there are such pictures
)

// drawExam draws one picture and one question about it.
func (v *verifier) drawExam(rng *rand.Rand) exam {
	size, channels := 8, 1
	if v.codec != nil {
		size, channels = v.codec.config.LatentSize, v.codec.config.LatentChannels
	}
	d := harmless(size, channels)
	var s world.Scene
	var p *world.Picture
	composed := false
	if v.pool != nil && rng.Float64() < pooledShare {
		s, p = v.pool.pick(rng)
		composed = teaching.HasAll(s) && rng.IntN(2) == 0
	} else {
		s = world.RandomScene(rng, world.Broad)
		switch r := rng.Float64(); {
		case r < absentShare:
			s = teaching.Absent(rng, s)
		case r < absentShare+composedShare:
			s, composed = teaching.Composed(rng, world.Broad), true
		}
		p = s.Draw(pictureSize)
		d.decode = v.codec != nil && rng.Float64() < decodedShare
	}
	if v.codec != nil && rng.Float64() < ruinedShare { // reading comes first
		d.ruin(rng, size, channels)
	} else {
		d.soften(rng)
	}
	x, err := v.examiner.examine(rng, s, composed, p, d)
	if err != nil {
		panic(err) // every word of every question is in the vocabulary: a test asks them all
	}
	return x
}

// drawBatch draws a batch of exams.
func (v *verifier) drawBatch(p plan, step int) []*tensors.Tensor {
	rng := rand.New(rand.NewPCG(p.seed, uint64(step)))
	exams := make([]exam, p.batch)
	for i := range exams {
		exams[i] = v.drawExam(rng)
	}
	return v.tensors(rng, exams)
}

// The inputs of the verifier's graph, in the order of (*verifier).tensors.
const (
	inPixels = iota
	inIDs
	inLogit
	inPositions
	inFacts
	inKnown
	inMark
	inCounts
	inGain
	inField
	inBlur
	inNoise
	inDecode // the rest only once there is an autoencoder
	inKeep
	inMix
	inAdd
)

// columns are the inputs of several exams, side by side.
type columns struct {
	list [inAdd + 1][]float32
	ids  []int32
}

func (c *columns) add(i int, values ...float32) { c.list[i] = append(c.list[i], values...) }

// exam adds an exam; rng draws the noise of its damage.
func (c *columns) exam(rng *rand.Rand, x exam) {
	for _, q := range x.questions {
		c.ids = append(c.ids, q.ids...)
		c.add(inLogit, q.logit)
		c.add(inPositions, q.positions...)
	}
	c.add(inPixels, x.pixels...)
	c.add(inFacts, x.facts.values...)
	c.add(inKnown, x.facts.known...)
	c.add(inMark, x.mark...)
	c.add(inCounts, one(x.damage.counts))
	c.add(inGain, x.damage.gain...)
	if x.damage.field == nil {
		x.damage.field = make([]float32, len(x.pixels))
	}
	c.add(inField, x.damage.field...)
	c.add(inBlur, x.damage.blur)
	for range x.pixels {
		e := float32(0)
		if x.damage.noise > 0 {
			e = x.damage.noise * float32(rng.NormFloat64())
		}
		c.add(inNoise, e)
	}
	c.add(inDecode, one(x.damage.decode))
	c.add(inKeep, x.damage.keep...)
	c.add(inMix, x.damage.mix...)
	c.add(inAdd, x.damage.add...)
}

// tensors stacks exams.
func (v *verifier) tensors(rng *rand.Rand, exams []exam) []*tensors.Tensor {
	var c columns
	for _, x := range exams {
		c.exam(rng, x)
	}
	n, side := len(exams), pictureSize
	asked := n * questionsPerPicture
	in := func(i int, dims ...int) *tensors.Tensor { return floats(c.list[i], dims...) }
	known := len(c.list[inKnown]) / n
	out := []*tensors.Tensor{
		in(inPixels, n, side, side, 3), tensors.FromFlatDataAndDimensions(c.ids, asked, v.config.MaxWords),
		in(inLogit, asked), in(inPositions, asked, len(teaching.PositionWords())),
		in(inFacts, n, known), in(inKnown, n, known), in(inMark, n, side, side, 4),
		in(inCounts, n), in(inGain, n, 1, 1, 3), in(inField, n, side, side, 3),
		in(inBlur, n, 1, 1, 1), in(inNoise, n, side, side, 3),
	}
	if v.codec != nil {
		l := v.codec.config.LatentSize
		out = append(out, in(inDecode, n, 1, 1, 1), in(inKeep, n, l, l, 1),
			in(inMix, n, l, l, 1), in(inAdd, n, l, l, v.codec.config.LatentChannels))
	}
	return out
}

func one(b bool) float32 {
	if b {
		return 1
	}
	return 0
}

// look builds what the verifier sees of a batch, and the degree in [0, 1] to
// which each picture is ruined, [B].
func (v *verifier) look(in []*Node) (pictures, degree *Node) {
	clean := in[inPixels]
	damaged := clean
	if v.codec != nil {
		z := v.codec.normalized(clean)
		other := Concatenate([]*Node{Slice(z, AxisRange(1)), Slice(z, AxisRange(0, 1))}, 0)
		changed := Add(Add(Mul(z, in[inKeep]), Mul(other, in[inMix])), in[inAdd])
		clean = Where(broadcastLike(in[inDecode], clean), v.codec.decoder.Apply(nn.Pass{}, z), clean)
		damaged = Where(broadcastLike(in[inDecode], clean), v.codec.decoder.Apply(nn.Pass{}, changed), clean)
	}
	damaged = Add(Mul(damaged, in[inGain]), in[inField])
	distance := ReduceMean(Abs(Sub(ClipScalar(damaged, 0, 1), ClipScalar(clean, 0, 1))), 1, 2, 3)
	const sound, ruined = 0.03, 0.18 // mean absolute error of a pixel
	degree = ClipScalar(DivScalar(AddScalar(distance, -sound), ruined-sound), 0, 1)
	degree = Mul(degree, in[inCounts])

	soft := Add(Mul(damaged, OneMinus(in[inBlur])), Mul(boxBlur(damaged), in[inBlur]))
	soft = Add(soft, in[inNoise])
	colour := Slice(in[inMark], AxisRange(), AxisRange(), AxisRange(), AxisRange(0, 3))
	cover := Slice(in[inMark], AxisRange(), AxisRange(), AxisRange(), AxisRange(3))
	soft = Add(Mul(soft, OneMinus(cover)), Mul(colour, cover))
	return StopGradient(ClipScalar(soft, 0, 1)), StopGradient(degree)
}

// broadcastLike makes a condition of a 0-or-1 [B, 1, 1, 1] node.
func broadcastLike(flag, like *Node) *Node {
	return BroadcastToShape(GreaterThan(flag, Scalar(flag.Graph(), flag.DType(), 0.5)), shapes.Make(dtypes.Bool, like.Shape().Dimensions...))
}

// boxBlur averages 3x3 pixels; the border repeats.
func boxBlur(x *Node) *Node {
	for _, axis := range []int{1, 2} {
		n := x.Shape().Dim(axis)
		before := Concatenate([]*Node{SliceAxis(x, axis, AxisRange(0, 1)), SliceAxis(x, axis, AxisRange(0, n-1))}, axis)
		after := Concatenate([]*Node{SliceAxis(x, axis, AxisRange(1)), SliceAxis(x, axis, AxisRange(n-1))}, axis)
		x = DivScalar(Add(Add(before, x), after), 3)
	}
	return x
}
