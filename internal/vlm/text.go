package vlm

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/tokenizer"
)

// text is a prompt in ids, the picture's left out.
type text struct {
	before []int // up to the picture
	behind []int // from the picture on
}

// encode tokenizes a prompt that an answer may follow.
func (v *Verifier) encode(p Prompt, answer string) (text, error) {
	parts := p.Parts
	if answer != "" {
		parts = append(slices.Clip(parts), tokenizer.Part{Text: p.Separator + answer, Literal: true})
	}
	ids, err := v.setup.Tokenizer.EncodeParts(parts...)
	if err != nil {
		return text{}, fmt.Errorf("%w: %w", ErrQuestion, err)
	}
	if p.Template {
		begin, _ := v.setup.Tokenizer.Affixes()
		ids = slices.Concat(begin, ids)
	}
	at := slices.Index(ids, v.setup.Image)
	if at < 0 || slices.Contains(ids[at+1:], v.setup.Image) {
		return text{}, fmt.Errorf("the prompt must hold the image's token %d once: %v", v.setup.Image, ids)
	}
	return text{ids[:at], ids[at+1:]}, nil
}

// asked is a question with its answer, in ids.
type asked struct {
	ids    []int // from the picture on, answer included
	labels int   // of ids belong to the answer: the last ones
}

// ask tokenizes a question with its answer. The answer's tokens are those in which
// the prompt differs from the prompt with the answer behind it: the border of two
// words need not be a border of tokens.
func (v *Verifier) ask(q dualprocess.Question) (asked, error) {
	for _, s := range []string{q.Text, q.Answer} {
		if strings.TrimSpace(s) == "" {
			return asked{}, fmt.Errorf("%w: it is empty", ErrQuestion)
		}
	}
	prompt := v.setup.Model.Prompt(q.Prompt())
	bare, err := v.encode(prompt, "")
	if err != nil {
		return asked{}, err
	}
	full, err := v.encode(prompt, q.Answer)
	if err != nil {
		return asked{}, err
	}
	if !slices.Equal(full.before, v.before) {
		return asked{}, fmt.Errorf("the question changes the prompt before the picture")
	}
	same := 0
	for same < len(bare.behind) && same < len(full.behind) && bare.behind[same] == full.behind[same] {
		same++
	}
	if same == 0 || same == len(full.behind) {
		return asked{}, fmt.Errorf("%w: the answer has no tokens of its own", ErrQuestion)
	}
	return asked{full.behind, len(full.behind) - same}, nil
}

// inputs are the tensors that Prepare returns.
func (a asked) inputs() dualprocess.Inputs {
	return a.padded(len(a.ids), a.labels, 1/float64(a.labels))
}

// padded makes the tensors longer, so that questions of similar length share an
// executable: tokens that nothing sees, and answers that do not count. share is
// each label's part in the sum of log-probabilities.
func (a asked) padded(length, labels int, share float64) dualprocess.Inputs {
	first := len(a.ids) - a.labels
	ids, places, targets, shares := make([]int32, length), make([]int32, labels), make([]int32, labels), make([]float32, labels)
	for i, id := range a.ids {
		ids[i] = int32(id)
	}
	for i := range a.labels {
		places[i], targets[i], shares[i] = int32(first+i-1), int32(a.ids[first+i]), float32(share)
	}
	return dualprocess.Inputs{
		tensors.FromFlatDataAndDimensions(ids, length), tensors.FromFlatDataAndDimensions(places, labels),
		tensors.FromFlatDataAndDimensions(targets, labels), tensors.FromFlatDataAndDimensions(shares, labels),
	}
}

// converse tokenizes a prompt that the model shall go on from. Spaces at its end
// would be the beginning of the first word.
func (v *Verifier) converse(question string) ([]int, error) {
	if strings.TrimSpace(question) == "" || !utf8.ValidString(question) {
		return nil, fmt.Errorf("%w: it is empty or not UTF-8", ErrQuestion)
	}
	prompt := v.setup.Model.Prompt(question)
	last := len(prompt.Parts) - 1
	prompt.Parts = slices.Clone(prompt.Parts)
	prompt.Parts[last].Text = strings.TrimRight(prompt.Parts[last].Text, " ")
	t, err := v.encode(prompt, "")
	return t.behind, err
}
