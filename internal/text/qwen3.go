package text

import (
	"io/fs"
	"slices"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// QwenPadding fills prompts up where Qwen's tokenizer names nothing.
const QwenPadding = "<|endoftext|>"

// Qwen3 is the language model Qwen3 as an encoder of text: the hidden states behind
// some of its layers.
type Qwen3 struct {
	decoder *decoder.Decoder
	layers  []int
}

// ReadQwen3Config reads dir/config.json, of a Qwen3. Errors name the file and the
// field; those about a value wrap hf.ErrConfig.
func ReadQwen3Config(fsys fs.FS, dir string) (decoder.Config, error) {
	return readDecoderConfig(fsys, dir, "qwen3")
}

// NewQwen3 reads the encoder's parameters at the root of a checkpoint, where they
// stand under "model" unless it was saved without a head. layers are those behind
// which the states are wanted, counted from 1; of later ones nothing is read.
func NewQwen3(c weights.Cursor, cfg decoder.Config, layers ...int) *Qwen3 {
	return &Qwen3{decoder.NewFirst(c.Layout("embed_tokens.weight", "model", ""), cfg, slices.Max(layers)), layers}
}

// Qwen3Surplus accepts what checkpoints carry besides: later layers, the last norm and
// the head.
func Qwen3Surplus(layers ...int) func(name string) bool { return decoder.Leftover(slices.Max(layers)) }

// Apply encodes ids [B, S] (int32) to the states behind each of the layers, never
// normed, one after the other: [B, S, layers·Hidden] in dtype. valid (bool [B, S]) is
// false for padding, which no token attends to, itself included. The states of padding
// depend on the words before it and on its place, and some models read them.
func (q *Qwen3) Apply(f nn.Pass, ids, valid *Node, dtype dtypes.DType) *Node {
	x := q.decoder.Embed(f, ids, dtype)
	return Concatenate(q.decoder.States(f, decoder.Span{Embeds: x, Valid: valid}, q.layers...), -1)
}

// QwenChat is Qwen3's chat template for one message of the user's, up to where the
// answer begins. A model that shall not think is told that it has thought already.
func QwenChat(prompt string, thinking bool) string {
	text := "<|im_start|>user\n" + prompt + "<|im_end|>\n<|im_start|>assistant\n"
	if !thinking {
		text += "<think>\n\n</think>\n\n"
	}
	return text
}
