package vlm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/quote"
)

// Verifier is a vision-language model on a runtime. It answers questions about
// pictures, differentiable down to the pixels; rates given pictures (Score,
// YesNo); and says what it sees (Generate).
type Verifier struct {
	setup   Setup
	runtime *backends.Runtime
	options Options
	before  []int // of every prompt, up to its marker

	mu       sync.Mutex // of programs
	programs programs
}

var (
	_ dualprocess.Verifier = (*Verifier)(nil)
	_ dualprocess.Scorer   = (*Verifier)(nil)
	_ dualprocess.Releaser = (*Verifier)(nil)
	_ dualprocess.Runtimer = (*Verifier)(nil)
)

// New makes a verifier of its pieces.
func New(rt *backends.Runtime, s Setup, o Options) (*Verifier, error) {
	v := &Verifier{setup: s, runtime: rt, options: o}
	if err := v.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	text, err := v.encode(v.setup.Model.Prompt("?"), "")
	if err != nil {
		return nil, fmt.Errorf("%s: the prompt: %w", s.Name, err)
	}
	v.before = text.before
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
	return v.options.Checkpoint.Validate()
}

// Runtime is the one that the verifier was opened with.
func (v *Verifier) Runtime() *backends.Runtime { return v.runtime }

// Prepare returns what LogProbs needs to know of a question: ids of the tokens
// behind the picture, answer included, int32 [S]; the places among them that
// predict the answer's tokens, int32 [n]; those tokens' ids, int32 [n]; and their
// shares in the mean, float32 [n].
//
// Names of special tokens in the question or the answer are text like any other.
// The error wraps ErrQuestion or ErrPictureSize.
func (v *Verifier) Prepare(ctx context.Context, q dualprocess.Question, height, width int) (dualprocess.Inputs, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", v.setup.Name, err)
	}
	if _, err := v.view(height, width); err != nil {
		return nil, fmt.Errorf("%s: %w", v.setup.Name, err)
	}
	t, err := v.ask(q)
	if err != nil {
		return nil, fmt.Errorf("%s: question %s, answer %s: %w", v.setup.Name, quote.Short(q.Prompt()), quote.Short(q.Answer), err)
	}
	return t.inputs(), nil
}

// ReadEnds reads the tokens that end a text from the folder's
// generation_config.json; where it has none, fallback counts.
func ReadEnds(fsys fs.FS, fallback ...int) ([]int, error) {
	const name = "generation_config.json"
	var fields map[string]json.RawMessage
	if err := hf.ReadConfig(fsys, name, &fields); errors.Is(err, fs.ErrNotExist) {
		return fallback, nil
	} else if err != nil {
		return nil, err
	}
	raw := fields["eos_token_id"]
	if raw == nil || string(raw) == "null" {
		return fallback, nil
	}
	var one int
	if err := json.Unmarshal(raw, &one); err == nil {
		return []int{one}, nil
	}
	var several []int
	if err := json.Unmarshal(raw, &several); err != nil {
		return nil, fmt.Errorf("vlm: %s: eos_token_id: %w", name, err)
	}
	return several, nil
}
