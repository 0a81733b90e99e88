package vlm

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
)

// Trace runs a picture and one question of Prepare in one piece, as the references
// do, and returns the logits of all tokens, float32 [batch, tokens, vocabulary].
// It is for tests: it records inputs_embeds and position_ids besides what the tower
// (see Model) and the decoder record.
func Trace(v *Verifier, f nn.Pass, image *Node, question []*Node) *Node {
	p, q := v.mustPrefix(image), v.join([][]*Node{question})
	s := v.prefixSpan(f, image, p)
	suffix := v.suffixSpan(f, p, q.ids, image.Shape().Dim(0))
	s.Embeds = f.Record("inputs_embeds", Concatenate([]*Node{s.Embeds, suffix.Embeds}, 1))
	if s.Positions != nil {
		axes := s.Positions.Shape().Dim(0)
		s.Positions = Concatenate([]*Node{s.Positions, BroadcastToDims(InsertAxes(suffix.Positions, 0), axes, q.ids.Shape().Dim(1))}, 1)
		f.Record("position_ids", s.Positions)
	}
	for i, x := range s.Deep {
		s.Deep[i] = nn.PadZeros(x, 0, q.ids.Shape().Size(), 1)
	}
	if s.Groups != nil {
		s.Groups = nn.PadZeros(s.Groups, 0, q.ids.Shape().Size(), 0)
	}
	hidden, _ := v.setup.Decoder.Apply(f, s, nil)
	return v.setup.Decoder.Logits(f, hidden)
}
