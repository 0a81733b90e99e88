package sanasprint

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/pipeline"
)

// What diffusers' pipeline takes for the angle of pure noise, which is a little more
// than a right one, and for that in the middle of two steps.
const (
	noiseAngle  = 1.57080
	middleAngle = 1.3
)

// trigFlow is the schedule of TrigFlow (Lu and Song, 2025): latents lie on the arc
// cos t·clean + sin t·noise, and the network predicts the direction in which the arc
// goes on, cos t·noise - sin t·clean. Angles are those of the sampler's steps and, after
// them, those of the model's training.
//
// The pipeline's latents are these times sigma_data, which cancels where they are
// decoded.
type trigFlow struct {
	angles []float32
	next   []float32 // after a step of the sampler; 0 after the last
}

func newTrigFlow(steps, levels int) trigFlow {
	angles := stepAngles(steps)
	return trigFlow{append(angles[:steps:steps], evenAngles(levels)[:levels]...), angles[1:]}
}

// stepAngles are those of n steps, and 0.
func stepAngles(n int) []float32 {
	if n == 2 {
		return []float32{noiseAngle, middleAngle, 0}
	}
	return evenAngles(n)
}

// evenAngles are n+1 from pure noise to 0.
func evenAngles(n int) []float32 {
	angles := make([]float32, n+1)
	for k := range angles {
		angles[k] = float32(pipeline.Linspace(noiseAngle, 0, k, n+1))
	}
	return angles
}

// at tabulates a function of angles and returns its value at i, a float32 scalar.
func at(angles []float32, f func(float64) float64, i *Node) *Node {
	table := make([]float32, len(angles))
	for k, angle := range angles {
		table[k] = float32(f(float64(angle)))
	}
	return pipeline.At(table, i)
}

// clean returns cos t·x - sin t·v.
func (s trigFlow) clean(x, v, i *Node) *Node {
	return Sub(Mul(at(s.angles, math.Cos, i), x), Mul(at(s.angles, math.Sin, i), v))
}

// step goes to the angle after i by the clean estimate and other noise.
func (s trigFlow) step(clean, noise, i *Node) *Node {
	return Add(Mul(at(s.next, math.Cos, i), clean), Mul(at(s.next, math.Sin, i), noise))
}

// noise returns cos t·clean + sin t·noise.
func (s trigFlow) noise(clean, noise, i *Node) *Node {
	return Add(Mul(at(s.angles, math.Cos, i), clean), Mul(at(s.angles, math.Sin, i), noise))
}

// flowTime is the time of a rectified flow that has as much noise for its clean latents
// as the arc has at an angle: what the network, which was made of a flow's, is told.
func flowTime(angle float64) float64 { return math.Sin(angle) * flowLength(angle) }

// flowLength is how long the latents of that flow are, in those of the arc.
func flowLength(angle float64) float64 { return 1 / (math.Sin(angle) + math.Cos(angle)) }

// flowTurn is how much of the latents is in the direction on the arc, besides the
// flow's velocity.
func flowTurn(angle float64) float64 { return (math.Cos(angle) - math.Sin(angle)) * flowLength(angle) }

// direction makes the arc's of latents x at i by network, which returns the velocity of
// the rectified flow for its latents and time.
func (s trigFlow) direction(x, i *Node, network func(x, time *Node) *Node) *Node {
	length := at(s.angles, flowLength, i)
	velocity := network(Mul(x, length), at(s.angles, flowTime, i))
	return Add(Mul(x, at(s.angles, flowTurn, i)), Mul(velocity, length))
}
