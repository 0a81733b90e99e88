package idefics2

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
	borderToken = "<fake_token_around_image>" // on both sides of a picture
	endOfTurn   = "<end_of_utterance>"
	endOfText   = "</s>"
)

// The chat template of the checkpoints for one turn of a picture and a question.
const (
	beforeQuestion = "User:" + imageToken
	afterQuestion  = endOfTurn + "\nAssistant:"
)

// Prompt implements vlm.Model. An assistant's turn in the template begins with a
// space, which belongs to the first word of the answer. The paper's prompt ends in
// that space instead.
func (m *network) Prompt(question string) vlm.Prompt {
	if m.paper {
		return vlm.Prompt{Parts: vlm.Ask(beforeQuestion, question, afterQuestion+" "), Template: true}
	}
	return vlm.Prompt{Parts: vlm.Ask(beforeQuestion, question, afterQuestion), Template: true, Separator: " "}
}

// Layout implements vlm.Model. Pictures of every size have as many tokens; between
// two parts of one stands a single border.
func (m *network) Layout(picture vision.Size) (vlm.Layout, error) {
	if m.split && min(picture.Height, picture.Width) < 2 {
		return vlm.Layout{}, fmt.Errorf("%w: a picture of %s has no quarters", vlm.ErrPictureSize, picture)
	}
	layout := vlm.Layout{Resized: m.target(picture), Tokens: []int{m.border}}
	for _, p := range m.parts(picture) {
		size, grid := m.target(p.size), m.grid(p.size)
		if grid.Area() == 0 || max(size.Height, size.Width) > vlm.LongestSide {
			return vlm.Layout{}, fmt.Errorf("%w: a picture of %s would be looked at as %s, want %d to %d pixels a side",
				vlm.ErrPictureSize, p.size, size, m.config.Vision.PatchSize, vlm.LongestSide)
		}
		tokens := slices.Repeat([]int{m.config.ImageToken}, m.config.Resampler.Latents)
		layout.Tokens = slices.Concat(layout.Tokens, tokens, []int{m.border})
		layout.Activations += m.config.activations(grid.Area())
	}
	return layout, nil
}

// findTokens finds the tokens that the prompt needs, and those that end a text
// where the folder does not say.
func (m *network) findTokens(t *tokenizer.Tokenizer) (ends []int, err error) {
	ids, err := vlm.FindTokens(t, borderToken, endOfText, endOfTurn)
	if err != nil {
		return nil, err
	}
	m.border = ids[0]
	return ids[1:], vlm.CheckToken(t, "image_token_id", m.config.ImageToken, imageToken)
}
