package qwen35

import (
	"github.com/dualprocess/dualprocess-go/internal/tokenizer"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
)

// Special tokens of the prompt.
const (
	startToken  = "<|im_start|>" // of a turn
	endToken    = "<|im_end|>"
	visionStart = "<|vision_start|>"
	imageToken  = "<|image_pad|>" // stands where the picture comes
	visionEnd   = "<|vision_end|>"
)

// The chat template of the checkpoints for one turn of a picture and a question, to be
// answered without thinking first.
const (
	beforeQuestion = startToken + "user\n" + visionStart + imageToken + visionEnd
	afterQuestion  = endToken + "\n" + startToken + "assistant\n<think>\n\n</think>\n\n"
)

// Prompt implements vlm.Model.
func (m *network) Prompt(question string) vlm.Prompt {
	return vlm.Prompt{Parts: vlm.Ask(beforeQuestion, question, afterQuestion), Template: true}
}

// Layout implements vlm.Model.
func (m *network) Layout(picture vision.Size) (vlm.Layout, error) {
	size, err := m.config.Pictures.Target(picture)
	if err != nil {
		return vlm.Layout{}, err
	}
	patch := m.config.Vision.Patch
	return m.config.Pictures.Layout(size, m.config.ImageToken, m.config.Vision.Activations(size.Area()/(patch*patch))), nil
}

// findTokens checks that the tokens of the prompt are the tokenizer's, and
// returns the one that ends a text where the folder does not say.
func (c modelConfig) findTokens(t *tokenizer.Tokenizer) (ends []int, err error) {
	ids, err := vlm.FindTokens(t, endToken, startToken, visionStart, visionEnd)
	if err != nil {
		return nil, err
	}
	return ids[:1], vlm.CheckToken(t, "image_token_id", c.ImageToken, imageToken)
}
