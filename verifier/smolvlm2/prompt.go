package smolvlm2

import (
	"fmt"
	"slices"

	"github.com/dualprocess/dualprocess-go/internal/tokenizer"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
)

// Tokens of the prompt.
const (
	imageToken  = "<image>"
	borderToken = "<fake_token_around_image>" // before each tile, and after a picture
	wholeToken  = "<global-img>"              // before the vectors of the whole picture
	endOfTurn   = "<end_of_utterance>"
)

// beginnings of the chat template: that of SmolVLM, whichever its class, and that of
// Idefics3.
var beginnings = []string{"<|im_start|>", "<|begin_of_text|>"}

// promptTokens are what findTokens found.
type promptTokens struct {
	tokenizer       *tokenizer.Tokenizer
	beginning       string
	border, whole   int
	rowEnd, lastEnd []int // after a row of tiles, after the last one
}

// Prompt implements vlm.Model: the chat template of the checkpoints for one turn of a
// picture and a question. An assistant's turn begins with a space, which belongs to the
// first word of the answer.
func (m *network) Prompt(question string) vlm.Prompt {
	return vlm.Prompt{Parts: vlm.Ask(m.tokens.beginning+"User:"+imageToken, question, endOfTurn+"\nAssistant:"), Separator: " "}
}

// Layout implements vlm.Model. Pictures of every size have as many tokens, unless they
// are split.
func (m *network) Layout(picture vision.Size) (vlm.Layout, error) {
	v, t, n := m.view(picture), m.tokens, m.config.patches()
	images := slices.Repeat([]int{m.config.ImageToken}, m.config.vectors())
	l := vlm.Layout{Resized: v.steps[0], Activations: v.tiles() * m.config.Vision.blocks().Activations(n*n)}
	for row := range v.grid.Height {
		for col := range v.grid.Width {
			name := fmt.Sprintf("<row_%d_col_%d>", row+1, col+1)
			id, ok := t.tokenizer.ID(name)
			if !ok {
				return l, fmt.Errorf("%w: a picture of %s would have %s tiles, and the tokenizer has no token %s", vlm.ErrPictureSize, picture, v.grid, name)
			}
			l.Tokens = slices.Concat(l.Tokens, []int{t.border, id}, images)
		}
		if row < v.grid.Height-1 {
			l.Tokens = slices.Concat(l.Tokens, t.rowEnd)
		}
	}
	if v.grid.Height > 0 {
		l.Tokens = slices.Concat(l.Tokens, t.lastEnd)
	}
	l.Tokens = slices.Concat(l.Tokens, []int{t.border, t.whole}, images, []int{t.border})
	return l, nil
}

// findTokens finds the tokens that the prompt needs, and the one that ends a text
// where the folder does not say.
func (m *network) findTokens(t *tokenizer.Tokenizer) (ends []int, err error) {
	ids, err := vlm.FindTokens(t, borderToken, wholeToken, endOfTurn)
	if err != nil {
		return nil, err
	}
	m.tokens = promptTokens{tokenizer: t, border: ids[0], whole: ids[1]}
	for _, name := range beginnings {
		if _, ok := t.ID(name); ok && m.tokens.beginning == "" {
			m.tokens.beginning = name
		}
	}
	if m.tokens.beginning == "" {
		_, err := vlm.FindTokens(t, beginnings[0])
		return nil, err
	}
	// A line's end and an empty line: two tokens or, where the vocabulary has it, one.
	for text, to := range map[string]*[]int{"\n": &m.tokens.rowEnd, "\n\n": &m.tokens.lastEnd} {
		if *to, err = t.EncodeParts(tokenizer.Part{Text: text}); err != nil {
			return nil, err
		}
	}
	return ids[2:], vlm.CheckToken(t, "image_token_id", m.config.ImageToken, imageToken)
}
