package nn

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// Embedding looks vectors up by their ids.
type Embedding struct {
	Name   string
	Weight *model.Variable // [vocabulary, dim]
	Scale  float64         // of the vectors; 0 or 1 for none
}

// NewEmbedding reads a table of vectors.
func NewEmbedding(c weights.Cursor, vocabulary, dim int) *Embedding {
	return &Embedding{Name: c.Path(), Weight: c.Variable("weight", vocabulary, dim)}
}

// Apply maps ids [...] (int32) to vectors [..., dim] in dtype.
func (e *Embedding) Apply(f Pass, ids *Node, dtype dtypes.DType) *Node {
	x := ConvertDType(Gather(e.Weight.NodeValue(ids), InsertAxes(ids, -1)), dtype)
	if e.Scale != 0 && e.Scale != 1 {
		x = MulScalar(x, e.Scale)
	}
	return f.Record(e.Name, x)
}
