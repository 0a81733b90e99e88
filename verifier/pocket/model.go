package pocket

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/arguments"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/pocket/vqa"
	"github.com/dualprocess/dualprocess-go/internal/tokenizer"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

//go:embed weights
var embedded embed.FS

// name of the package, in errors.
const name = "pocket verifier"

// What a caller may want to tell apart. A context, a runtime or a picture that is
// nil is an error that wraps [dualprocess.ErrTask], and the end of a context comes
// as the context's own error.
var (
	// ErrPictureSize says that pictures cannot be brought to the model's size.
	ErrPictureSize = vlm.ErrPictureSize
	// ErrQuestion says that a question is empty.
	ErrQuestion = vlm.ErrQuestion
	// ErrQuestionTooLong says that a question has more words than the model reads.
	ErrQuestionTooLong = errors.New("question too long")
	// ErrAnswer says that the wanted answer is not one word.
	ErrAnswer = errors.New("the answer must be one word")
	// ErrUnknownWord says that a question or an answer has words that the model
	// never learned.
	ErrUnknownWord = tokenizer.ErrUnknownWord
)

// answerToken is the place where the model says its answer.
const answerToken = "<ans>"

// Options of Open, as the other verifiers have them. There are few: the model looks
// at pictures in one way.
type Options struct {
	Int8 bool // rounds the weights of the blocks' linear layers to 8 bits
}

// Verifier is the pocket verifier on a runtime: a [dualprocess.Verifier], which
// generators can be distilled from, and a [dualprocess.Scorer], which rates pictures;
// and it says in a word what it sees. Several
// goroutines may use all of its methods at once: those on the host take turns where they
// compute, and a Close waits for them.
type Verifier struct {
	config    vqa.Config
	runtime   *backends.Runtime
	model     *backends.Model
	programs  *vlm.Programs
	tokenizer *tokenizer.Tokenizer
	answerID  int
	vision    *vqa.Vision
	language  *vqa.Language
}

var (
	_ dualprocess.Verifier = (*Verifier)(nil)
	_ dualprocess.Scorer   = (*Verifier)(nil)
	_ dualprocess.Runtimer = (*Verifier)(nil)
)

// Open opens the model that the library carries in itself. Its weights become frozen
// variables of the runtime's store.
func Open(ctx context.Context, rt *backends.Runtime, o Options) (*Verifier, error) {
	sub, err := fs.Sub(embedded, "weights")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return OpenFS(ctx, rt, sub, o)
}

// OpenFS opens a model of the same kind, trained otherwise, from the root of a file
// system with config.json, model.safetensors and tokenizer.json.
func OpenFS(ctx context.Context, rt *backends.Runtime, fsys fs.FS, o Options) (*Verifier, error) {
	v := &Verifier{runtime: rt}
	err := arguments.Call(ctx, rt)
	if err == nil {
		err = arguments.Given("FS", fsys)
	}
	var files hf.Folder
	if err == nil {
		files, err = hf.NewFolder(fsys, "config.json", hf.Reading{Int8: o.Int8})
	}
	if err == nil {
		err = v.load(files)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return v, nil
}

func (v *Verifier) load(fsys fs.FS) (err error) {
	if err := hf.ReadConfig(fsys, "config.json", &v.config); err != nil {
		return err
	}
	if err := v.config.Validate(); err != nil {
		return fmt.Errorf("config.json: %w", err)
	}
	if v.tokenizer, err = tokenizer.Open(fsys, "."); err != nil {
		return err
	}
	if have, want := v.tokenizer.Size(), v.config.VocabSize; have > want {
		return fmt.Errorf("config.json: vocab_size is %d, the tokenizer has %d words", want, have)
	}
	var ok bool
	if v.answerID, ok = v.tokenizer.ID(answerToken); !ok {
		return fmt.Errorf("tokenizer.json: no token %s", answerToken)
	}
	if v.model, err = v.runtime.NewModel(name, "/verifier"); err != nil {
		return err
	}
	v.model.OnClose(func() { graphs.Forget(v.runtime, v) })
	v.programs = vlm.NewPrograms(v.runtime, v.model)
	if err = v.loadWeights(fsys); err != nil {
		return errors.Join(err, v.model.Close())
	}
	return nil
}

func (v *Verifier) loadWeights(fsys fs.FS) error {
	done, err := v.model.Use()
	if err != nil {
		return err
	}
	defer done()
	return weights.LoadTo(v.runtime, fsys, ".", v.model.Root(), nil, func(c weights.Cursor) {
		v.vision = vqa.NewVision(c.In("vision_model"), v.config)
		v.language = vqa.NewLanguage(c.In("language_model"), v.config)
	})
}

// Runtime is the one that the verifier was opened with.
func (v *Verifier) Runtime() *backends.Runtime { return v.runtime }

// LogProbs returns, for each question, float32 [batch]: the logarithm of the
// probability of the answer.
//
// image is float32 [batch, height, width, 3], RGB, clamped to [0, 1]; each question is
// what Prepare returned for that height and width. It is a graph function,
// differentiable in image, and panics as GoMLX's own do. The model looks at each
// picture once, however many questions there are.
func (v *Verifier) LogProbs(image *Node, questions [][]*Node) []*Node {
	v.model.In(image.Graph())
	batch, n := image.Shape().Dim(0), len(questions)
	ids, answers := make([]*Node, n), make([]*Node, n)
	for k, q := range questions {
		ids[k], answers[k] = q[0], q[1]
	}
	logits := v.logits(image, ids)
	logProbs := LogSoftmax(Reshape(ConvertDType(logits, dtypes.Float32), batch, n, -1), -1)
	wanted := OneHot(Concatenate(answers, 0), v.config.VocabSize, dtypes.Float32) // [n, vocabulary]
	chosen := ReduceSum(Mul(logProbs, InsertAxes(wanted, 0)), -1)                 // [batch, n]
	out := make([]*Node, n)
	for k := range out {
		out[k] = Reshape(Slice(chosen, AxisRange(), AxisRange(k, k+1)), batch)
	}
	return out
}

// logits of the answers to n questions, each int32 [1, words], about each picture:
// [batch·n, vocabulary], those about the first picture first.
func (v *Verifier) logits(image *Node, ids []*Node) *Node {
	picture := v.resize(ClipScalar(image, 0, 1))
	tokens, _ := v.vision.Apply(nn.Pass{}, ConvertDType(picture, v.runtime.DType))
	batch, n := image.Shape().Dim(0), len(ids)
	all := BroadcastToDims(InsertAxes(Concatenate(ids, 0), 0), batch, n, v.config.MaxWords)
	return v.language.Apply(nn.Pass{}, tokens, Reshape(all, batch*n, v.config.MaxWords))
}

// resize averages square blocks of pixels, down to the model's size.
func (v *Verifier) resize(image *Node) *Node {
	d, size := image.Shape().Dimensions, v.config.ImageSize
	if d[1] != d[2] || d[1]%size != 0 {
		exceptions.Panicf("%s: picture of %dx%d pixels, want a square with a multiple of %d", name, d[2], d[1], size)
	}
	block := d[1] / size
	if block == 1 {
		return image
	}
	return ReduceMean(Reshape(image, d[0], size, block, size, block, d[3]), 2, 4)
}
