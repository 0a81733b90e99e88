package vlm

import (
	"context"
	"fmt"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/arguments"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// Verifier is a vision-language model on a runtime. The package of a model wraps it
// in a type of its own, whose methods and their documentation are written by
// internal/vlm/face.
type Verifier struct {
	setup        Setup
	runtime      *backends.Runtime
	model        *backends.Model
	options      Options
	promptPrefix []int // ids of every prompt, up to the picture
	programs     *Programs
}

// newVerifier makes a verifier of its pieces.
func newVerifier(rt *backends.Runtime, m *backends.Model, s Setup, o Options) (*Verifier, error) {
	v := &Verifier{setup: s, runtime: rt, model: m, options: o, programs: NewPrograms(rt, m)}
	if err := v.check(); err != nil {
		return nil, err
	}
	prefix, _, err := v.tokenize(v.setup.Model.Prompt("?"), "")
	if err != nil {
		return nil, fmt.Errorf("the prompt: %w", err)
	}
	v.promptPrefix = prefix
	return v, nil
}

func (v *Verifier) check() error {
	size, vocabulary := v.setup.Tokenizer.Size(), v.setup.Decoder.Config().Vocabulary
	if size > vocabulary {
		return fmt.Errorf("%w: vocab_size is %d, the tokenizer has %d tokens", hf.ErrConfig, vocabulary, size)
	}
	if id := v.setup.Image; id < 0 || id >= vocabulary {
		return fmt.Errorf("%w: the image token has the id %d, vocab_size is %d", hf.ErrConfig, id, vocabulary)
	}
	if _, after := v.setup.Tokenizer.Affixes(); len(after) > 0 {
		return fmt.Errorf("%w: the tokenizer ends texts with tokens %v, where the answer shall follow", hf.ErrConfig, after)
	}
	return nil
}

// Runtime is the one that the verifier was opened with; nil if Open did not make it.
func (v *Verifier) Runtime() *backends.Runtime {
	if v == nil {
		return nil
	}
	return v.runtime
}

// Prepare returns the inputs of a question: ids of the suffix, answer included,
// int32 [S]; the positions in it that predict the answer's tokens, int32 [n]; those
// tokens' ids, int32 [n]; and their weights in the mean, float32 [n].
func (v *Verifier) Prepare(ctx context.Context, q dualprocess.Question, height, width int) (dualprocess.Inputs, error) {
	e, err := v.prepare(ctx, q, height, width)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", v.setup.Name, err)
	}
	return e.inputs(), nil
}

// PreparePadded is Prepare with suffix and answer padded to lengths that similar
// questions share, by tokens that no other attends to and labels of weight 0.
func (v *Verifier) PreparePadded(ctx context.Context, q dualprocess.Question, height, width int) (dualprocess.Inputs, error) {
	e, err := v.prepare(ctx, q, height, width)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", v.setup.Name, err)
	}
	return e.rounded(1 / float64(e.labels)), nil
}

func (v *Verifier) prepare(ctx context.Context, q dualprocess.Question, height, width int) (encoded, error) {
	done, err := v.model.Use()
	if err != nil {
		return encoded{}, err
	}
	defer done()
	if err := arguments.Context(ctx); err != nil {
		return encoded{}, err
	}
	if _, err := v.prefix(height, width); err != nil {
		return encoded{}, err
	}
	return v.encode(q)
}

// WrappedBy says by which type of its own the model's package shows the verifier: its
// programs go with the verifier.
func (v *Verifier) WrappedBy(own any) {
	v.model.OnClose(func() { graphs.Forget(v.runtime, own) })
}

// Close frees the weights and what was compiled. See backends.Model.
func (v *Verifier) Close() error {
	if v == nil {
		return nil
	}
	return v.model.Close()
}
