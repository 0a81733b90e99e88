package pocket

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/quote"
	"github.com/dualprocess/dualprocess-go/internal/tokenizer"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

//go:embed weights
var embedded embed.FS

// Errors of Prepare. Those about words come with dualprocess.ErrPrompt.
var (
	// ErrQuestionTooLong says that a question has more words than the model reads.
	ErrQuestionTooLong = errors.New("question too long")
	// ErrAnswer says that the wanted answer is not one word.
	ErrAnswer = errors.New("the answer must be one word")
	// ErrUnknownWord says that a question or an answer has words that the model
	// never learned.
	ErrUnknownWord = tokenizer.ErrUnknownWord
	// ErrPictureSize says that pictures cannot be brought to the model's size.
	ErrPictureSize = errors.New("unsupported picture size")
)

// answerToken is the place where the model says its answer.
const answerToken = "<ans>"

// Verifier is the pocket verifier on a runtime.
type Verifier struct {
	config    Config
	runtime   *backends.Runtime
	tokenizer *tokenizer.Tokenizer
	answerID  int
	vision    *Vision
	language  *Language
}

var (
	_ dualprocess.Verifier = (*Verifier)(nil)
	_ dualprocess.Runtimer = (*Verifier)(nil)
)

// Open loads the embedded weights.
func Open(rt *backends.Runtime) (*Verifier, error) {
	sub, err := fs.Sub(embedded, "weights")
	if err != nil {
		return nil, fmt.Errorf("pocket verifier: %w", err)
	}
	return OpenFS(rt, sub)
}

// OpenFS loads a pocket verifier from a folder of the same layout.
func OpenFS(rt *backends.Runtime, fsys fs.FS) (*Verifier, error) {
	v := &Verifier{runtime: rt}
	if err := hf.ReadConfig(fsys, "config.json", &v.config); err != nil {
		return nil, fmt.Errorf("pocket verifier: %w", err)
	}
	if err := v.config.Validate(); err != nil {
		return nil, fmt.Errorf("pocket verifier: config.json: %w", err)
	}
	if err := v.load(fsys); err != nil {
		return nil, fmt.Errorf("pocket verifier: %w", err)
	}
	return v, nil
}

func (v *Verifier) load(fsys fs.FS) (err error) {
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
	root := weights.Root(v.runtime.Store, "/verifier")
	return weights.Load(fsys, ".", v.runtime.Store, root, nil, func(c weights.Cursor) {
		v.vision = NewVision(c.In("vision_model"), v.config)
		v.language = NewLanguage(c.In("language_model"), v.config)
	})
}

// Runtime is the one that the verifier was opened with.
func (v *Verifier) Runtime() *backends.Runtime { return v.runtime }

// Prepare returns the ids of the question, int32 [1, words], with the answer's
// place behind it, and the id of the answer, int32 [1]. A word that the model
// does not know is an error that wraps ErrUnknownWord and dualprocess.ErrPrompt, and
// names it.
// Pictures must be square, and their side a multiple of the model's.
func (v *Verifier) Prepare(_ context.Context, q dualprocess.Question, height, width int) (dualprocess.Inputs, error) {
	if height != width || height < v.config.ImageSize || height%v.config.ImageSize != 0 {
		return nil, fmt.Errorf("pocket verifier: %w: %dx%d, want a square with a multiple of %d pixels",
			ErrPictureSize, width, height, v.config.ImageSize)
	}
	ids, err := v.encode(q.Prompt())
	if err != nil {
		return nil, fmt.Errorf("pocket verifier: %w: %w", dualprocess.ErrPrompt, err)
	}
	if len(ids)+1 > v.config.MaxWords {
		return nil, fmt.Errorf("pocket verifier: %w: %w: %d words, the model reads %d",
			dualprocess.ErrPrompt, ErrQuestionTooLong, len(ids), v.config.MaxWords-1)
	}
	answer, err := v.encode(q.Answer)
	if err != nil {
		return nil, fmt.Errorf("pocket verifier: answer %s: %w: %w", quote.Short(q.Answer), dualprocess.ErrPrompt, err)
	}
	if len(answer) != 1 {
		return nil, fmt.Errorf("pocket verifier: %w: %w: %s has %d", dualprocess.ErrPrompt, ErrAnswer, quote.Short(q.Answer), len(answer))
	}
	padded := make([]int32, v.config.MaxWords) // on the left: the answer's place is the last
	for i, id := range append(ids, v.answerID) {
		padded[len(padded)-len(ids)-1+i] = int32(id)
	}
	return dualprocess.Inputs{
		tensors.FromFlatDataAndDimensions(padded, 1, len(padded)),
		tensors.FromFlatDataAndDimensions([]int32{int32(answer[0])}, 1),
	}, nil
}

// encode returns the ids of a text, or an error that says where to find the words.
func (v *Verifier) encode(text string) ([]int, error) {
	ids, err := v.tokenizer.Encode(text)
	if errors.Is(err, ErrUnknownWord) {
		err = fmt.Errorf("%w; pocket.Questions and pocket.Vocabulary list what is known", err)
	}
	return ids, err
}

// LogProbs returns log P(answer) per question, float32 [batch].
func (v *Verifier) LogProbs(image *Node, questions [][]*Node) []*Node {
	picture := v.resize(ClipScalar(image, 0, 1))
	tokens, _ := v.vision.Apply(nn.Pass{}, ConvertDType(picture, v.runtime.DType))
	batch, n := image.Shape().Dim(0), len(questions)
	ids, answers := make([]*Node, n), make([]*Node, n)
	for k, q := range questions {
		ids[k], answers[k] = q[0], q[1]
	}
	all := BroadcastToDims(InsertAxes(Concatenate(ids, 0), 0), batch, n, v.config.MaxWords)
	logits := v.language.Apply(nn.Pass{}, tokens, Reshape(all, batch*n, v.config.MaxWords))
	logProbs := LogSoftmax(Reshape(ConvertDType(logits, dtypes.Float32), batch, n, -1), -1)
	wanted := OneHot(Concatenate(answers, 0), v.config.VocabSize, dtypes.Float32) // [n, vocabulary]
	chosen := ReduceSum(Mul(logProbs, InsertAxes(wanted, 0)), -1)                 // [batch, n]
	out := make([]*Node, n)
	for k := range out {
		out[k] = Reshape(Slice(chosen, AxisRange(), AxisRange(k, k+1)), batch)
	}
	return out
}

// resize averages square blocks of pixels, down to the model's size.
func (v *Verifier) resize(image *Node) *Node {
	d, size := image.Shape().Dimensions, v.config.ImageSize
	if d[1] != d[2] || d[1]%size != 0 {
		exceptions.Panicf("pocket verifier: picture of %dx%d pixels, want a square with a multiple of %d", d[2], d[1], size)
	}
	block := d[1] / size
	if block == 1 {
		return image
	}
	return ReduceMean(Reshape(image, d[0], size, block, size, block, d[3]), 2, 4)
}
