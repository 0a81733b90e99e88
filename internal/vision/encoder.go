package vision

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// Encoder is a vision transformer's stack of blocks.
type Encoder struct{ blocks []*nn.EncoderBlock }

// NewEncoder reads the blocks at the cursor of the tower's "encoder".
func NewEncoder(c weights.Cursor, cfg nn.EncoderConfig) *Encoder {
	return &Encoder{nn.NewEncoderBlocks(c.In("layers"), cfg)}
}

// Apply maps tokens [B, T, hidden] to the last block's output. The blocks' outputs
// are recorded as the fixtures have them, in all models as vision_blocks.0 and so on.
func (e *Encoder) Apply(f nn.Pass, x *Node) *Node {
	for i, b := range e.blocks {
		x = f.Record(fmt.Sprint("vision_blocks.", i), b.Apply(f, x, nil))
	}
	return x
}
