package pixtral

import (
	"fmt"

	"github.com/dualprocess/dualprocess-go/internal/tokenizer"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
)

// Prompt implements vlm.Model: the chat template of the checkpoints for one turn of
// a picture and a question, which is the paper's prompt as well. It names <s>
// itself, and the answer follows without a space.
func (m *network) Prompt(question string) vlm.Prompt {
	return vlm.Prompt{Parts: vlm.Ask("<s>[INST]"+m.config.Tokens.Image, question, "[/INST]")}
}

// Layout implements vlm.Model: the patches row by row, with a token after each row.
func (m *network) Layout(picture vision.Size) (vlm.Layout, error) {
	size, patch := m.target(picture), m.config.Vision.PatchSize
	rows, cols := size.Height/patch, size.Width/patch
	if rows == 0 || cols == 0 || max(size.Height, size.Width) > vlm.LongestSide {
		return vlm.Layout{}, fmt.Errorf("%w: a picture of %s would be looked at as %s, want %d to %d pixels a side",
			vlm.ErrPictureSize, picture, size, patch, vlm.LongestSide)
	}
	tokens := vlm.Rows(vision.Size{Height: rows, Width: cols}, m.config.ImageToken, m.rowEnd, m.pictureEnd)
	return vlm.Layout{Resized: size, Tokens: tokens, Activations: m.config.activations(rows * cols)}, nil
}

// findTokens finds the tokens that a picture needs, and the one that ends a text
// where the folder does not say.
func (m *network) findTokens(t *tokenizer.Tokenizer) (ends []int, err error) {
	tokens := m.config.Tokens
	ids, err := vlm.FindTokens(t, tokens.Break, tokens.End, "</s>")
	if err != nil {
		return nil, err
	}
	m.rowEnd, m.pictureEnd = ids[0], ids[1]
	return ids[2:], vlm.CheckToken(t, "image_token_index", m.config.ImageToken, tokens.Image)
}
