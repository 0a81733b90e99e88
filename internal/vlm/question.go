package vlm

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/quote"
	"github.com/dualprocess/dualprocess-go/internal/tokenizer"
)

// tokenize returns the ids of a prompt, with an answer after it unless that is "":
// those before the picture and those after it.
func (v *Verifier) tokenize(p Prompt, answer string) (prefix, suffix []int, err error) {
	parts := p.Parts
	if answer != "" {
		parts = append(slices.Clip(parts), tokenizer.Part{Text: p.Separator + answer, Literal: true})
	}
	ids, err := v.setup.Tokenizer.EncodeParts(parts...)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrQuestion, err)
	}
	if p.Template {
		begin, _ := v.setup.Tokenizer.Affixes()
		ids = slices.Concat(begin, ids)
	}
	at := slices.Index(ids, v.setup.Image)
	if at < 0 || slices.Contains(ids[at+1:], v.setup.Image) {
		return nil, nil, fmt.Errorf("the prompt must hold the image's token %d once: %v", v.setup.Image, ids)
	}
	return ids[:at], ids[at+1:], nil
}

// encoded is a question with its answer, in ids.
type encoded struct {
	suffix []int // what follows the picture, answer included
	labels int   // of the suffix belong to the answer: the last ones
}

// encode tokenizes a question with its answer. Errors quote them.
func (v *Verifier) encode(q dualprocess.Question) (encoded, error) {
	e, err := v.encodeQuestion(q)
	if err != nil {
		err = fmt.Errorf("question %s, answer %s: %w", quote.Short(q.Prompt()), quote.Short(q.Answer), err)
	}
	return e, err
}

// encodeQuestion finds the answer's tokens as those in which the prompt differs
// from the prompt with the answer after it: the border of two words need not be a
// border of tokens.
func (v *Verifier) encodeQuestion(q dualprocess.Question) (encoded, error) {
	for _, field := range []struct{ name, text string }{{"Text", q.Text}, {"Answer", q.Answer}} {
		if strings.TrimSpace(field.text) == "" {
			return encoded{}, fmt.Errorf("%w: %s is empty", ErrQuestion, field.name)
		}
	}
	prompt := v.setup.Model.Prompt(q.Prompt())
	_, bare, err := v.tokenize(prompt, "")
	if err != nil {
		return encoded{}, err
	}
	prefix, full, err := v.tokenize(prompt, q.Answer)
	if err != nil {
		return encoded{}, err
	}
	if !slices.Equal(prefix, v.promptPrefix) {
		return encoded{}, fmt.Errorf("the question changes the prompt before the picture")
	}
	same := 0
	for same < len(bare) && same < len(full) && bare[same] == full[same] {
		same++
	}
	if same == 0 || same == len(full) {
		return encoded{}, fmt.Errorf("%w: the answer has no tokens of its own", ErrQuestion)
	}
	return encoded{full, len(full) - same}, nil
}

// inputs are the tensors that Prepare returns.
func (e encoded) inputs() dualprocess.Inputs {
	return e.padded(len(e.suffix), e.labels, 1/float64(e.labels))
}

// rounded are the tensors at lengths that similar questions share.
func (e encoded) rounded(weight float64) dualprocess.Inputs {
	return e.padded(roundUp(len(e.suffix), lengthStep), roundUp(e.labels, labelStep), weight)
}

// padded makes the tensors longer, so that questions of similar length share an
// executable: tokens at the end, which no other attends to, and labels of weight 0.
// weight is that of each label in the sum of log-probabilities.
func (e encoded) padded(length, labels int, weight float64) dualprocess.Inputs {
	first := len(e.suffix) - e.labels
	ids, positions, targets, weights := make([]int32, length), make([]int32, labels), make([]int32, labels), make([]float32, labels)
	for i, id := range e.suffix {
		ids[i] = int32(id)
	}
	for i := range e.labels {
		positions[i], targets[i], weights[i] = int32(first+i-1), int32(e.suffix[first+i]), float32(weight)
	}
	return dualprocess.Inputs{
		tensors.FromFlatDataAndDimensions(ids, length), tensors.FromFlatDataAndDimensions(positions, labels),
		tensors.FromFlatDataAndDimensions(targets, labels), tensors.FromFlatDataAndDimensions(weights, labels),
	}
}

// encodeOpen tokenizes a question that the model shall answer in its own words:
// what follows the picture. Spaces at the prompt's end would be the beginning of the
// answer's first word.
func (v *Verifier) encodeOpen(question string) ([]int, error) {
	if strings.TrimSpace(question) == "" || !utf8.ValidString(question) {
		return nil, fmt.Errorf("%w: the question is empty or not UTF-8", ErrQuestion)
	}
	prompt := v.setup.Model.Prompt(question)
	last := len(prompt.Parts) - 1
	prompt.Parts = slices.Clone(prompt.Parts)
	prompt.Parts[last].Text = strings.TrimRight(prompt.Parts[last].Text, " ")
	_, suffix, err := v.tokenize(prompt, "")
	return suffix, err
}
