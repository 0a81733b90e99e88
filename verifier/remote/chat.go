package remote

import (
	"context"
	"fmt"
	"image"

	"github.com/openai/openai-go/v3"

	"github.com/dualprocess/dualprocess-go/dualprocess"
)

// turn is what the model is told.
type turn struct {
	system  string // "" = nothing
	picture string // its URL; "" = none
	text    string
}

// about is a turn about a picture.
func (s *Scorer) about(img image.Image, text string) (turn, error) {
	picture, err := dataURL(img, s.options.MaxSide)
	return turn{picture: picture, text: text}, err
}

// messages are those of the protocol. What is said about a picture is one turn of the
// user, first the picture, then the text, as the library's verifiers ask.
func (t turn) messages(detail string) (all []openai.ChatCompletionMessageParamUnion) {
	if t.system != "" {
		all = append(all, openai.SystemMessage(t.system))
	}
	if t.picture == "" {
		return append(all, openai.UserMessage(t.text))
	}
	return append(all, openai.UserMessage([]openai.ChatCompletionContentPartUnionParam{
		openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: t.picture, Detail: detail}),
		openai.TextContentPart(t.text),
	}))
}

// Chat returns what the model answers to a text without a picture, in at most so many
// tokens, as the system prompt tells it to; "" is none. It is what package
// study/questions asks for questions and prompts. Its errors are those of Rate.
func (s *Scorer) Chat(ctx context.Context, system, text string, tokens int) (string, error) {
	if err := checkAsked(ctx, "Text", text); err != nil {
		return "", err
	}
	return s.say(ctx, turn{system: system, text: text}, tokens)
}

// say returns what the model says in a turn.
func (s *Scorer) say(ctx context.Context, t turn, tokens int) (string, error) {
	if tokens < 1 {
		return "", fmt.Errorf("remote: %w: Tokens: must be at least 1, not %d", dualprocess.ErrTask, tokens)
	}
	d := *s.dialect.Load()
	d.alternatives, d.tokens = 0, int64(tokens)
	reply, err := s.reply(ctx, t, d, false)
	if err != nil {
		return "", fmt.Errorf("remote: %w", err)
	}
	return reply.text, nil
}
