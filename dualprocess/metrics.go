package dualprocess

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/internal/graphs"
)

// metrics are the measurements of an update in one float32 vector, all that it
// brings back to the host. The first places are fixed; behind them come P(answer)
// of each question, averaged over the batch, then, where not every question is
// asked about every picture, the part of the batch that each is asked about, then,
// where there is an anchor, the distance from it. Those are means, so that the metrics
// of micro-batches add up. At the very end, when the update is made, come the
// gradient's norm and 1 for an update taken.
type metrics struct {
	questions int
	partly    bool // not every question is asked about every picture
	anchored  bool // there is an anchor
}

// Fixed places.
const (
	metricLoss       = iota // mean of -log P(answer)
	metricDrift             // mean squared distance from the base model
	metricPreserved         // the same on the preserved prompts
	metricBadPicture        // > 0: a pixel is not finite
	metricBadLoss           // > 0: the loss with the guards' terms is not
	metricP                 // P(answer) of each question from here on
)

func newMetrics(questions []Question, s *shares, anchored bool) metrics {
	return metrics{len(questions), s != nil, anchored}
}

// measured are the measurements of a micro-batch in its graph.
type measured struct {
	verdict                // whose total has the guards' terms
	drift, preserved *Node // scalars
	anchored         *Node // scalar; nil without an anchor
}

// inPlace puts them into one vector.
func (m measured) inPlace() *Node {
	values := []*Node{
		vector(m.loss), vector(m.drift), vector(m.preserved),
		vector(m.badness), vector(notFinite(m.total)),
	}
	values = append(values, m.rates...)
	if m.anchored != nil {
		values = append(values, vector(m.anchored))
	}
	return Concatenate(values, 0)
}

// faults is > 0 if anything measured is not finite.
func (m metrics) faults(values *Node) *Node {
	return ReduceAllSum(Slice(values, AxisRange(metricBadPicture, metricP)))
}

// finished adds the gradient's norm and whether the update is taken, scalars.
func (m metrics) finished(values, norm, taken *Node) *Node {
	return Concatenate([]*Node{values, vector(norm), vector(taken)}, 0)
}

// shape is that of the vector of a micro-batch.
func (m metrics) shape() shapes.Shape {
	return shapes.Make(dtypes.Float32, m.end())
}

// rates is the number of vectors of answerRates.
func (m metrics) rates() int {
	if m.partly {
		return 2
	}
	return 1
}

// end is the place behind them all.
func (m metrics) end() int {
	end := metricP + m.rates()*m.questions
	if m.anchored {
		end++
	}
	return end
}

// splitMetrics parts the results of an update from the finished metrics behind
// them, and reads those. Should the device have failed, that is the error, and there
// are no results to be taken.
func splitMetrics(out []*tensors.Tensor) (results []*tensors.Tensor, values []float32, err error) {
	last := len(out) - 1
	values, err = tensors.CopyFlatData[float32](out[last])
	graphs.Release(out[last])
	if err != nil {
		graphs.Release(out...)
		return nil, nil, fmt.Errorf("read the metrics: %w", err)
	}
	return out[:last:last], values, nil
}

// read makes an Update of the vector of a finished update.
func (m metrics) read(values []float32) Update {
	end := m.end()
	u := Update{
		Loss:         float64(values[metricLoss]),
		Drift:        float64(values[metricDrift]),
		Preserved:    float64(values[metricPreserved]),
		GradientNorm: float64(values[end]),
		Skipped:      values[end+1] != 1,
	}
	if m.anchored {
		u.Anchored = float64(values[end-1])
	}
	for k := range m.questions {
		p := float64(values[metricP+k])
		if m.partly {
			p /= float64(values[metricP+m.questions+k]) // 0/0, NaN, if it was not asked at all
		}
		u.P = append(u.P, p)
	}
	u.MeanP = mean(m.askedOf(u.P, values))
	switch {
	case !u.Skipped:
	case values[metricBadPicture] != 0:
		u.Fault = "picture"
	case values[metricBadLoss] != 0:
		u.Fault = "loss"
	default:
		u.Fault = "gradient"
	}
	return u
}

// askedOf returns those of the questions' values that were asked.
func (m metrics) askedOf(p []float64, values []float32) []float64 {
	if !m.partly {
		return p
	}
	var asked []float64
	for k, x := range p {
		if values[metricP+m.questions+k] > 0 {
			asked = append(asked, x)
		}
	}
	return asked
}

// mean of no values is NaN.
func mean(values []float64) float64 {
	sum := 0.0
	for _, x := range values {
		sum += x
	}
	if len(values) == 0 {
		return math.NaN()
	}
	return sum / float64(len(values))
}

// notFinite counts the values that are NaN or infinite, as a float32 scalar.
func notFinite(values ...*Node) *Node {
	var count *Node
	for _, x := range values {
		n := ReduceAllSum(ConvertDType(LogicalNot(IsFinite(x)), dtypes.Float32))
		if count == nil {
			count = n
		} else {
			count = Add(count, n)
		}
	}
	return count
}

// vector makes a scalar a vector of one.
func vector(x *Node) *Node { return Reshape(x, 1) }
