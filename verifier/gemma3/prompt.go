package gemma3

import (
	"errors"
	"slices"
	"strings"
	"unicode"

	"github.com/dualprocess/dualprocess-go/internal/tokenizer"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
)

// The special tokens of the prompt.
const (
	begin      = "<bos>"
	turnBegin  = "<start_of_turn>"
	turnEnd    = "<end_of_turn>"
	imageBegin = "<start_of_image>"
	imageToken = "<image_soft_token>"
	imageEnd   = "<end_of_image>"
)

const (
	user   = turnBegin + "user\n"
	answer = turnEnd + "\n" + turnBegin + "model\n" // ends the user's turn and begins the model's

	// picture is what the processor makes of an image. Its empty lines join those
	// around them: the tokenizer has tokens for runs of newlines.
	picture = "\n\n" + imageBegin + imageToken + imageEnd + "\n\n"

	// instruction is the system prompt of the paper's reference; the template itself has none.
	instruction = "You are a helpful assistant.\n\n"
)

// Prompt implements vlm.Model: the chat template's text of one turn with an image
// and a question.
//
// The template begins with <bos>, so that the tokenizer must not add its own. The
// reference lets it: its prompts have two.
func (m *network) Prompt(question string) vlm.Prompt {
	if m.paper {
		return vlm.Prompt{Parts: vlm.Ask(begin+user+instruction+picture, question, answer), Template: true}
	}
	return vlm.Prompt{Parts: vlm.Ask(begin+user+picture, trim(question), answer)}
}

// trim cuts off white space as the template's filter does, which is Python's strip.
func trim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return unicode.IsSpace(r) || '\x1c' <= r && r <= '\x1f' })
}

// findTokens compares the tokenizer with the configuration, and returns the token
// that ends a text where the folder does not say.
func (c modelConfig) findTokens(t *tokenizer.Tokenizer) (ends []int, err error) {
	ids, err := vlm.FindTokens(t, turnEnd, turnBegin, begin)
	if err != nil {
		return nil, err
	}
	return ids[:1], errors.Join(
		vlm.CheckToken(t, "boi_token_index", c.Begin, imageBegin),
		vlm.CheckToken(t, "eoi_token_index", c.End, imageEnd),
		vlm.CheckToken(t, "image_token_index", c.ImageToken, imageToken),
	)
}

// Layout implements vlm.Model. Pictures of every size have as many tokens.
func (m *network) Layout(vision.Size) (vlm.Layout, error) {
	return vlm.Layout{
		Resized:       m.config.Picture.size(),
		Tokens:        slices.Repeat([]int{m.config.ImageToken}, m.config.ImageTokens),
		Bidirectional: m.bidirectional,
		Activations:   m.blocks.Activations(m.config.Vision.patches() * m.config.Vision.patches()),
	}, nil
}
