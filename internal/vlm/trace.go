package vlm

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
)

// Trace runs a picture and one question of Prepare in one piece, as the references
// do, and returns the logits of all tokens, float32 [batch, tokens, vocabulary].
// It is for tests: the probe sees the tower (see Model), inputs_embeds, and the
// decoder below "decoder".
func Trace(v *Verifier, p *nn.Probe, image *Node, question []*Node) *Node {
	w, q := v.mustView(image), v.join([][]*Node{question})
	s := v.span(p, image, w, false)
	behind := v.questionSpan(w, q.ids, image.Shape().Dim(0), false)
	s.Embeds = p.See("inputs_embeds", Concatenate([]*Node{s.Embeds, behind.Embeds}, 1))
	if s.Positions != nil {
		axes := s.Positions.Shape().Dim(0)
		s.Positions = Concatenate([]*Node{s.Positions, BroadcastToDims(InsertAxes(behind.Positions, 0), axes, q.ids.Shape().Dim(1))}, 1)
		p.See("position_ids", s.Positions)
	}
	if s.Groups != nil {
		s.Groups = Concatenate([]*Node{s.Groups, ZerosLike(Reshape(q.ids, -1))}, 0)
	}
	hidden, _ := v.setup.Decoder.Apply(p.In("decoder"), s, nil)
	return p.See("logits", v.setup.Decoder.Logits(hidden))
}
