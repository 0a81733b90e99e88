package llava

import (
	"slices"

	"github.com/dualprocess/dualprocess-go/internal/tokenizer"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
)

// Tokens of the prompt.
const (
	imageToken = "<image>" // stands where the picture comes
	endOfText  = "</s>"
)

// The chat template of the checkpoints for one turn of a picture and a question.
// The paper's prompt begins with an instruction, which the template does not have.
const (
	instruction    = "A chat between a curious human and an artificial intelligence assistant. The assistant gives helpful, detailed, and polite answers to the human's questions. "
	beforeQuestion = "USER: " + imageToken + "\n"
	afterQuestion  = " ASSISTANT:"
)

// Prompt implements vlm.Model. An assistant's turn in the template begins with a
// space, which belongs to the first word of the answer. The paper's prompt ends in
// that space instead.
func (m *network) Prompt(question string) vlm.Prompt {
	if m.paper {
		return vlm.Prompt{Parts: vlm.Ask(instruction+beforeQuestion, question, afterQuestion+" "), Template: true}
	}
	return vlm.Prompt{Parts: vlm.Ask(beforeQuestion, question, afterQuestion), Template: true, Separator: " "}
}

// Layout implements vlm.Model. Pictures of every size have as many tokens.
func (m *network) Layout(picture vision.Size) (vlm.Layout, error) {
	return vlm.Layout{
		Resized:     m.config.Picture.Target(picture),
		Tokens:      slices.Repeat([]int{m.config.ImageToken}, m.config.tokens()),
		Activations: m.blocks.Activations(m.config.Vision.Side()*m.config.Vision.Side() + 1),
	}, checkPicture(picture)
}

// findTokens compares the tokenizer with the configuration, and returns the token
// that ends a text where the folder does not say.
func (c modelConfig) findTokens(t *tokenizer.Tokenizer) (ends []int, err error) {
	end, _ := t.ID(endOfText)
	return []int{end}, vlm.CheckToken(t, "image_token_index", c.ImageToken, imageToken)
}
