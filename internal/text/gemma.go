package text

import (
	"strings"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// Gemma is the language model Gemma 2 as an encoder of text: its last hidden
// states.
type Gemma struct {
	decoder *decoder.Decoder
}

// NewGemma reads the encoder's parameters at the root of a checkpoint, where they
// may stand under "model" as in one of the whole language model.
func NewGemma(c weights.Cursor, cfg decoder.Config) *Gemma {
	return &Gemma{decoder.New(c.Layout("embed_tokens.weight", "", "model"), cfg)}
}

// GemmaSurplus accepts what checkpoints of Gemma carry besides: the head, which an
// encoder has no use for, and the frequencies of the rotary embedding.
func GemmaSurplus(name string) bool {
	return name == "lm_head.weight" || strings.HasSuffix(name, "rotary_emb.inv_freq")
}

// Apply encodes ids [B, S] (int32) to the last hidden states [B, S, Hidden] in
// dtype. valid (bool [B, S]) is false for padding, which is masked; what stands
// there in the result has no meaning.
func (g *Gemma) Apply(f nn.Pass, ids, valid *Node, dtype dtypes.DType) *Node {
	x := g.decoder.Embed(f, ids, dtype)
	hidden, _ := g.decoder.Apply(f, decoder.Span{Embeds: x, Valid: valid}, nil)
	return hidden
}
