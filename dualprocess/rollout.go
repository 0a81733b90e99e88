package dualprocess

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/lora"
)

// rollout denoises in a graph, with gradient.
type rollout struct {
	generator Generator
	delta     *lora.Delta // nil = the base model
	toTheEnd  bool        // the last of the steps is the generator's last
	recompute bool        // the activations of each step in the backward pass, in place of keeping them

	seen []predicted // filled by run
}

// predicted is one prediction on the way, with what it was made from.
type predicted struct {
	prediction, latents, i *Node
}

// run takes the steps from a state, and returns clean latents: the last step's, or
// the estimate at the last one taken.
func (r *rollout) run(state, steps, cond []*Node) *Node {
	for k, i := range steps {
		prediction := r.predict(state[0], i, cond)
		r.seen = append(r.seen, predicted{prediction, state[0], i})
		if k == len(steps)-1 && !r.toTheEnd {
			return r.generator.Clean(state[0], prediction, i)
		}
		state = advance(r.generator, state, prediction, i)
	}
	return state[0]
}

func (r *rollout) predict(latents, i *Node, cond []*Node) *Node {
	if !r.recompute {
		return r.generator.Predict(r.delta, latents, i, cond)
	}
	return r.generator.Predict(r.delta, latents.Checkpoint(), i, cond).StopCheckpoint()
}
