package dualprocess

import (
	"context"
	"image"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/lora"
)

// Inputs are host values prepared once that arrive as nodes, in the same order,
// in the graph methods that ask for them. Whoever receives Inputs owns the
// tensors and may finalize them.
type Inputs []*tensors.Tensor

// Generator is the fast process: a text-to-image model that denoises latents in
// a fixed number of steps.
//
// Several goroutines may call all methods at once. Encode, Latents and Steps run on
// the host and return errors. The others are
// graph methods: they build into the caller's graph, may be called several times
// in one graph, and panic on misuse as GoMLX's own functions do; Distill, Sample
// and Evaluate turn panics into errors. Frozen weights are variables of the
// store of the Runtime that all models of a process share.
//
// Latents, predictions and images are float32 between the methods: the
// arithmetic of schedulers needs it. A network that computes in another dtype
// converts inside Predict and Decode.
//
// What graph methods build must follow from their arguments and from what never
// changes in the generator: what is compiled is kept and used again, see Forget.
//
// The step i is an int32 scalar node and not a Go value, so that one compilation
// serves all steps; tables of a scheduler become constants and are gathered.
type Generator interface {
	// Encode returns what Predict needs to know of the prompt. Each tensor has a
	// leading axis of 1; a batch is made by stacking the tensors of its prompts
	// along that axis, so all prompts encode to the same shapes (pad the text).
	// Words that the model cannot read are an error that wraps ErrPrompt.
	Encode(ctx context.Context, prompt string) (Inputs, error)

	// Latents returns the noise where step 0 starts, float32 [len(seeds), ...].
	// The same seed gives the same noise whatever else is in the batch.
	Latents(seeds ...int64) (*tensors.Tensor, error)

	// Steps is the number of denoising steps, at least 1.
	Steps() int

	// Predict runs the network at step i: its velocity or noise prediction after
	// guidance, with the shape of latents. Every layer that can be adapted passes
	// through d, one line per layer: y = d.Linear(name, x, y), with the name that
	// the layer has in the checkpoint. A nil d is the base model. Pictures may have
	// adapters of their own if the leading axis of a layer's x is the batch; a network
	// that runs twice the batch at once passes its layers through d.Repeat(2).
	//
	// latents is [batch, ...], i an int32 scalar in [0, Steps()), cond the nodes
	// of Encode with a leading axis of batch.
	Predict(d *lora.Delta, latents, i *graph.Node, cond []*graph.Node) *graph.Node

	// Clean returns the estimate of the clean latents that the prediction at step
	// i implies: x - σᵢ·v for a flow, the predicted original sample for DDIM.
	Clean(latents, prediction, i *graph.Node) *graph.Node

	// Step returns the latents of step i+1; after the last step they are clean.
	Step(latents, prediction, i *graph.Node) *graph.Node

	// Decode turns clean latents into pictures [batch, height, width, 3], RGB,
	// nominally in [0, 1] but not clamped: clamping would cut the gradient, and
	// verifiers and writers of images clamp for themselves.
	Decode(latents *graph.Node) *graph.Node
}

// Verifier is the slow process: a vision-language model that answers questions
// about a picture, differentiable down to the pixels.
//
// Several goroutines may call both methods at once. Prepare runs on the host; LogProbs
// is a graph method with the rules of Generator's. It may be called once per overlay in one graph.
type Verifier interface {
	// Prepare returns what LogProbs needs to know of a question asked about
	// pictures of the given height and width in pixels: token ids, masks,
	// positions. The same prepared question serves every picture of a batch, so
	// the tensors have no batch axis (or one of 1). Words that the model cannot
	// read are an error that wraps ErrPrompt.
	Prepare(ctx context.Context, q Question, height, width int) (Inputs, error)

	// LogProbs returns, for each question, float32 [batch]: the natural logarithm
	// of the answer's probability, averaged over the answer's tokens, in (-∞, 0].
	//
	// image is [batch, height, width, 3], RGB, nominally in [0, 1], overlay
	// applied. The model's own preprocessing, clamping included, happens in here
	// as differentiable operations. All questions about the same pictures come
	// together, so that the vision tower runs once.
	LogProbs(image *graph.Node, questions [][]*graph.Node) []*graph.Node
}

// Scorer is all that a closed model behind an API can be: it rates pictures but
// gives no gradient. It can be asked by Evaluate and, by its type, never be
// distilled from.
type Scorer interface {
	// Score returns P(answer) in [0, 1] for one picture, over which the
	// question's overlay already lies.
	Score(ctx context.Context, img image.Image, q Question) (float64, error)
}

// Overlay lays a picture over generated ones before the verifier looks: the
// visual part of a question.
type Overlay interface {
	// Apply returns the overlaid pictures with the shape of image, [batch, height,
	// width, 3] in [0, 1]. It is a graph method and differentiable in image.
	Apply(image *graph.Node) *graph.Node
}

// The interfaces below are upgrades that a Generator, a Verifier or an Overlay may
// have; this package asks for them by type assertion.

// Runtimer is a Generator or Verifier that knows the Runtime that it was opened
// with. One that was opened with another Runtime than the task's is then an error
// before any work is done, and not a missing variable in the middle of it.
type Runtimer interface {
	Runtime() *backends.Runtime
}

// Conditioner is a Generator that knows what Encode returns without encoding
// anything: with it Layers needs no text encoder.
type Conditioner interface {
	// Conditions returns the shapes of the tensors that Encode returns for every
	// prompt, each with a leading axis of 1.
	Conditions() []shapes.Shape
}

// Padder is a Verifier that can bring questions of similar length to one: other
// questions then compile nothing anew. Distill, Evaluate, Score and OptimizeLatents
// call it in place of Prepare.
type Padder interface {
	Verifier
	// PreparePadded is Prepare with the text padded to a length that similar questions
	// share. What LogProbs says is the same but for rounding.
	PreparePadded(ctx context.Context, q Question, height, width int) (Inputs, error)
}

// Preparable is an Overlay that is drawn before it is laid over pictures. What it
// shows then is an input of the compiled programs and not part of them: another
// picture compiles nothing anew.
type Preparable interface {
	Overlay
	// Prepare returns what ApplyPrepared wants to know of the overlay for pictures
	// of a size in pixels; the caller frees it. nil without an error says that this
	// overlay cannot be prepared, and that Apply is to be called.
	Prepare(height, width int) ([]*tensors.Tensor, error)
	// ApplyPrepared is Apply by what Prepare returned. For one type and for tensors of
	// equal shapes it must build the same graph whatever the overlay.
	ApplyPrepared(image *graph.Node, prepared []*graph.Node) *graph.Node
}

// Validator is an Overlay that can tell whether it is sound before it is laid over
// a picture.
type Validator interface {
	// Validate returns an error that says what is wrong: a picture that is missing
	// or has no pixels, an opacity out of its range.
	Validate() error
}

// Presetter is a Generator that knows which settings suit it.
type Presetter interface {
	Preset() Preset
}

// Preset are the settings that a Generator suggests for the fields of Task that
// were left at zero. Its own zero values suggest nothing.
type Preset struct {
	LearningRate float64  // of Task.LearningRate
	Targets      []string // of lora.Config.Targets
	FirstStep    int      // of Task.FirstStep, taken together with EndStep
	EndStep      int      // of Task.EndStep
	Prefix       string   // of lora.Config.Prefix
}

// Noiser is a Generator that can go back to a step by adding noise: what the
// mode Renoise needs.
type Noiser interface {
	// Noise returns the latents of step i for clean latents. noise has their shape
	// and comes from Latents with other seeds; i is an int32 scalar.
	Noise(clean, noise, i *graph.Node) *graph.Node
}

// Leveler is a Noiser that knows more noise levels than it takes steps: the grid
// that its model was trained on. With it the mode Renoise is of use even to a
// generator of one step, whose only level is pure noise.
type Leveler interface {
	Noiser
	// Levels is their number, from noise to clean. Level k stands for itself in
	// Predict, Clean and Noise, never in Step, as i = Steps() + k.
	Levels() int
}

// Multistepper is a Generator whose sampler looks back, as DPM-Solver++ 2M does: a
// step is more exact if it knows what the step before took for the clean latents.
// Whatever denoises step by step then calls StepAfter in place of Step, which is the
// same sampler without a look back.
type Multistepper interface {
	Generator
	// StepAfter returns the latents of step i+1. previous has the shape of latents
	// and is the clean estimate of step i-1, as Clean returned it there; at step 0
	// there is none, and whatever is given must be ignored.
	StepAfter(latents, prediction, previous, i *graph.Node) *graph.Node
}

// Guider is a Generator that can be guided away from a second prompt, by
// classifier-free guidance.
type Guider interface {
	Generator
	// Guides says whether guidance is on; otherwise a negative prompt has no meaning.
	Guides() bool
	// EncodeGuided is Encode with another negative prompt than the generator's own.
	EncodeGuided(ctx context.Context, prompt, negative string) (Inputs, error)
}

// Releaser is a Generator or Verifier that holds weights which only the host
// methods need, such as text encoders.
type Releaser interface {
	// Release frees those weights from the device. It is called when the prompts
	// and questions at hand are prepared; a later Encode or Prepare loads them
	// again.
	Release() error
}
