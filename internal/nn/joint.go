package nn

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// JointAttention attends over the tokens of a text and those of a picture alike, each
// with layers of its own, as in the double blocks of FLUX.1 and FLUX.2.
type JointAttention struct {
	Name        string
	Text, Image *MultiHead
}

// Heads sizes an attention whose queries and keys are normed per head, in a stream
// that is as wide as all heads.
type Heads struct {
	Count, Width int
	Epsilon      float64 // of the norms
	Bias         bool    // of the linear layers
}

// HeadNames are those of an attention's layers below its cursor. Out is "" where
// there is no layer after it.
type HeadNames struct{ Q, K, V, Out, NormQ, NormK string }

// New reads the layers of an attention.
func (h Heads) New(c weights.Cursor, names HeadNames) *MultiHead {
	width := h.Count * h.Width
	a := &MultiHead{
		Name:  c.Path(),
		Heads: h.Count,
		Q:     NewLinear(c.In(names.Q), width, width, h.Bias),
		K:     NewLinear(c.In(names.K), width, width, h.Bias),
		V:     NewLinear(c.In(names.V), width, width, h.Bias),
		NormQ: NewRMSNorm(c.In(names.NormQ), h.Width, h.Epsilon, NoBias),
		NormK: NewRMSNorm(c.In(names.NormK), h.Width, h.Epsilon, NoBias),
	}
	if names.Out != "" {
		a.Out = NewLinear(c.In(names.Out), width, width, h.Bias)
	}
	return a
}

// NewJointAttention reads the layers by the names that diffusers gives them.
func NewJointAttention(c weights.Cursor, h Heads) *JointAttention {
	return &JointAttention{
		Name:  c.Path(),
		Image: h.New(c, HeadNames{Q: "to_q", K: "to_k", V: "to_v", Out: "to_out.0", NormQ: "norm_q", NormK: "norm_k"}),
		Text:  h.New(c, HeadNames{Q: "add_q_proj", K: "add_k_proj", V: "add_v_proj", Out: "to_add_out", NormQ: "norm_added_q", NormK: "norm_added_k"}),
	}
}

// Apply attends over image [B, L, width] and text [B, T, width], whose tokens come
// first in the rotary embedding, and returns them apart.
func (a *JointAttention) Apply(f Pass, r Rotary, image, text *Node) (*Node, *Node) {
	qi, ki, vi := a.Image.Project(f, image, image)
	qt, kt, vt := a.Text.Project(f, text, text)
	join := func(text, image *Node) *Node { return Concatenate([]*Node{text, image}, 1) }
	attended := RotatedAttention(r, join(qt, qi), join(kt, ki), join(vt, vi))

	words := text.Shape().Dim(1)
	image = a.Image.Out.Apply(f, Slice(attended, AxisRange(), AxisRange(words)))
	text = a.Text.Out.Apply(f, Slice(attended, AxisRange(), AxisRange(0, words)))
	f.RecordAll(a.Name, image, text)
	return image, text
}

// RotatedAttention rotates queries and keys [B, S, N, D] by their positions, pairs
// being neighbours, and attends: [B, S, N·D].
func RotatedAttention(r Rotary, q, k, v *Node) *Node {
	return Attention(r.RotateNeighbors(q), r.RotateNeighbors(k), v, nil)
}
