package qwen

import (
	"github.com/dualprocess/dualprocess-go/internal/tokenizer"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
)

// Special tokens of the prompts.
const (
	StartToken  = "<|im_start|>" // of a turn
	EndToken    = "<|im_end|>"
	VisionStart = "<|vision_start|>"
	ImageToken  = "<|image_pad|>" // stands where the picture comes
	VisionEnd   = "<|vision_end|>"
)

// The chat templates of the checkpoints for one turn of a picture and a question; what
// comes before and behind it differs.
const (
	BeforeQuestion = StartToken + "user\n" + VisionStart + ImageToken + VisionEnd
	AfterQuestion  = EndToken + "\n" + StartToken + "assistant\n"
)

// FindTokens checks that the tokens of the prompts are the tokenizer's, and image the
// one that config.json names. It returns the one that ends a text where the folder does
// not say.
func FindTokens(t *tokenizer.Tokenizer, image int) (ends []int, err error) {
	ids, err := vlm.FindTokens(t, EndToken, StartToken, VisionStart, VisionEnd)
	if err != nil {
		return nil, err
	}
	return ids[:1], vlm.CheckToken(t, "image_token_id", image, ImageToken)
}
