package mistral3

import (
	"fmt"

	"github.com/dualprocess/dualprocess-go/internal/tokenizer"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
)

// Tokens around the system message.
const systemBegin, systemEnd = "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"

// Prompt implements vlm.Model: the chat template of the checkpoints for one turn of a
// picture and a question. It names <s> itself, and the answer follows without a space.
func (m *network) Prompt(question string) vlm.Prompt {
	system := m.config.System
	if system != "" {
		system = systemBegin + system + systemEnd
	}
	return vlm.Prompt{Parts: vlm.Ask("<s>"+system+"[INST]"+m.config.Tokens.Image, question, "[/INST]")}
}

// Layout implements vlm.Model: the vectors row by row, with a token after each row.
func (m *network) Layout(picture vision.Size) (vlm.Layout, error) {
	size, unit := m.target(picture), m.config.unit()
	grid := vision.Size{Height: size.Height / unit, Width: size.Width / unit}
	if grid.Area() == 0 || max(size.Height, size.Width) > vlm.LongestSide {
		return vlm.Layout{}, fmt.Errorf("%w: a picture of %s would be looked at as %s, want %d to %d pixels a side",
			vlm.ErrPictureSize, picture, size, unit, vlm.LongestSide)
	}
	tokens := vlm.Rows(grid, m.config.ImageToken, m.rowEnd, m.pictureEnd)
	return vlm.Layout{Resized: size, Tokens: tokens, Activations: m.config.activations(grid.Area())}, nil
}

// findTokens finds the tokens that a picture and the prompt need, and the one that ends
// a text where the folder does not say.
func (m *network) findTokens(t *tokenizer.Tokenizer) (ends []int, err error) {
	tokens := m.config.Tokens
	names := []string{tokens.Break, tokens.End, "</s>", "<s>", "[INST]", "[/INST]"}
	if m.config.System != "" {
		names = append(names, systemBegin, systemEnd)
	}
	ids, err := vlm.FindTokens(t, names...)
	if err != nil {
		return nil, err
	}
	m.rowEnd, m.pictureEnd = ids[0], ids[1]
	return ids[2:3], vlm.CheckToken(t, "image_token_index", m.config.ImageToken, tokens.Image)
}
