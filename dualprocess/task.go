package dualprocess

import (
	"log/slog"
	"time"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/lora"
)

// Task says what to distil, from which verifier, into which generator. Its zero
// values are the paper's defaults; Runtime, Generator, Verifier, Prompts and
// Questions must be given.
type Task struct {
	Runtime   *backends.Runtime // that Generator and Verifier were opened with; see Split
	Generator Generator
	Verifier  Verifier

	// Prompts are cycled through, one per picture. Together with the seeds every
	// pair is visited before one is repeated.
	Prompts   []string
	Questions []Question // the loss of a picture is the mean over those for its prompt, by their weights

	Adapter lora.Config   // of a new adapter; zero = rank 16, alpha 8, seeded by Seed; the rank is at most 16,384
	Start   *lora.Adapter // goes on from this adapter, which is not changed; nil = a new one
	Weight  float64       // of the adapter while training; 0 = that of Start, else 5

	LearningRate float64 // 0 = the generator's preset, else 5e-5
	WarmUp       int     // first updates, over which the rate rises linearly; 0 = none
	Decay        int     // last updates, over which it falls linearly to DecayTo; 0 = none
	DecayTo      float64 // fraction of LearningRate at the last update, in [0, 1]

	Updates    int // at most; 0 = 100
	Batch      int // pictures at once on the device, at most 65,536; 0 = 1
	Accumulate int // batches whose mean gradient makes one update, at most 2^20; 0 = 1

	Clip        float64 // largest global norm of the gradient; 0 = 1, negative = no clipping
	Beta1       float64 // of AdamW; 0 = 0.9
	Beta2       float64 // of AdamW; 0 = 0.999
	Epsilon     float64 // of AdamW; 0 = 1e-8
	WeightDecay float64 // of AdamW; 0 = none

	Seeds     []int64   // of the training pictures; nil = SeedCount seeds drawn from Seed
	SeedCount int       // at most 2^24; 0 = as many as there are pictures: none is seen twice
	SeedOrder SeedOrder // Cycled or Drawn

	Timesteps Timesteps // Subsample or Renoise
	FirstStep int       // the step with gradient is drawn from [FirstStep, EndStep)
	EndStep   int       // 0 = the generator's preset, else all; Renoise counts levels if there are any

	// Unroll is the number of steps that the gradient goes through; 0 = 1, the drawn
	// one, as in the paper. Alone it means the last steps, DRaFT-K (Clark et al. 2024):
	// the picture rated is then the picture sampled. With FirstStep or EndStep they begin
	// at the drawn step, and the picture is the estimate at the last of them. The
	// activations of each step are recomputed in the backward pass, so that memory hardly
	// grows; time does, by each step. Only with Subsample; the preset's steps do not count.
	//
	// What is settled early, such as a layout, the last steps cannot move alone, and it is
	// the single step that is cheapest. With the pocket models, one run of 60 updates each,
	// the mean distance of the horizon from its line and the share of pictures where B is
	// closer than A, and milliseconds an update on 2 cores; the numbers in brackets are the
	// horizons that are still found, of 64:
	//
	//	8 steps                 horizon               B is closer
	//	before                  0.226                 47 %
	//	one of the first five   0.057 (64), 149 ms    91 %, 174 ms
	//	two from there          0.042 (60), 177 ms    92 %, 220 ms
	//	the last two            0.093 (63), 265 ms    72 %, 261 ms
	//	the last four           0.073 (55), 334 ms    86 %, 345 ms
	//	4 steps
	//	before                  0.224                 47 %
	//	one of the first three  0.060 (62), 153 ms    94 %, 179 ms
	//	the last two            0.056 (49), 207 ms    84 %, 251 ms
	//	all four                0.051 (48), 311 ms    97 %, 298 ms
	Unroll int
	// StepWeights are the factors of the loss where step, or level, k is drawn, one for
	// each that there is; the guards' terms keep their weights. nil = all 1. Of use where
	// the clean estimates of early steps are too blurred to be asked about, but a change
	// of EndStep would leave them out altogether.
	StepWeights []float64

	// Split cuts an update at the picture: the generator makes it, the verifier says its loss
	// and the gradient by the pixels, and the generator makes it once more to take that on
	// to the adapter. The numbers are the same but for rounding; the peak of memory is that of
	// the larger half, for the time of one more forward pass. The Verifier may then be opened with
	// a runtime of its own, on another device.
	Split bool

	// Drift is the weight of the mean squared distance between the prediction and
	// the base model's at the same latents and prompt. 0 = no such term. It keeps
	// pictures pictures: P(answer) alone rises easily on ruined ones.
	Drift    float64
	Anchor   Anchor   // a moving reference beside the base model; zero = none
	Preserve Preserve // prompts that must not change; zero = none
	StopAt   StopAt   // end early; zero = never
	Judge    Judge    // a second opinion of StopAt's pictures; zero = none
	Bounds   Bounds   // within which StopAt's pictures must stay; zero = none

	Seed int64 // of everything random; the same task gives the same adapter, bit for bit

	Checkpoint Checkpoint // where training is kept, to go on after a crash; zero = nowhere
	Snapshots  Snapshots  // pictures on the way; zero = none

	// These are called on the caller's goroutine and may be nil. They must not close
	// the Runtime, which waits for them.
	Progress func(Update) // after every update
	Status   func(Status) // when something else begins to be done
	Logger   *slog.Logger // nil is silent
}

// SeedOrder says how training pictures take their seeds from the list.
type SeedOrder int

const (
	Cycled SeedOrder = iota // in order, again and again
	Drawn                   // each drawn at random, with replacement
)

// Timesteps says how the latents of the step with gradient come about.
type Timesteps int

const (
	// Subsample denoises from noise to the drawn step without gradient, the
	// adapter on, and takes that one step with gradient.
	Subsample Timesteps = iota
	// Renoise denoises fully without gradient, the adapter on, adds fresh noise of
	// the drawn step and takes that step with gradient. The Generator must be a
	// Noiser; of a Leveler, a level is drawn in place of a step.
	Renoise
)

// Preserve names prompts whose pictures must not change while others learn: the
// winter lake freezes, the summer lake stays. On latents that the base model
// made from them the prediction is held to the base model's.
type Preserve struct {
	Prompts []string // sampled in turn
	Weight  float64  // of the mean squared distance, > 0 when there are prompts
}

// Anchor holds the prediction near that of the adapter of some updates ago, at the same
// latents and prompt: a moving reference. Drift pulls back to the base model for good;
// the anchor only slows down, and lets the training go as far as it wants.
type Anchor struct {
	Weight float64 // of the mean squared distance; 0 = no anchor
	Every  int     // so many updates, the anchor becomes the adapter as it is; 0 = 10
}

// StopAt ends the training when the mean P(answer) is high enough, before
// over-optimisation ruins the pictures. The measure is either the updates' own
// P(answer) over a window, or that of full samples for validation seeds.
//
// With validation seeds the adapter returned is that of the best validation. Of two
// validations, the better one is
//
//  1. the one where no reward hacking is suspected: the Judge's P(answer) has kept up
//     with the verifier's, and the pictures are within every one of Bounds: Dark, Edges,
//     Entropy and Spread (see Findings);
//  2. else the one of the higher mean P(answer): the Judge's where there is one, and the
//     verifier's where there is none;
//  3. else the earlier.
type StopAt struct {
	// P in (0, 1) is the mean P(answer) that ends the training. 0 = none: with
	// Seeds, all updates are made and the best adapter is returned.
	P float64
	// Window is the number of updates whose mean counts when there are no Seeds;
	// 0 = 6.
	Window int
	// Seeds of the validation pictures, made in full with all the task's prompts
	// in turn and asked what is for their prompts.
	Seeds []int64
	// Every so many updates, and after the last, there is a validation; 0 = 5.
	Every int
	// Hacking ends the training, too, at the first validation where reward hacking is
	// suspected. It needs Judge or Bounds.
	Hacking bool
}

// Update is what Progress is told about one update.
type Update struct {
	Number int // of this update, from 1
	Total  int // most updates that there will be

	Loss  float64   // mean over pictures and questions of -log P(answer), in nats (see Question.Against); without the guards' terms
	P     []float64 // P(answer) of each question, mean over its pictures, in [0, 1]; NaN where no picture is of its prompts
	MeanP float64   // mean of P over the questions that were asked

	Step         int     // of the generator, or its level, where the gradient was taken
	GradientNorm float64 // before clipping
	Drift        float64 // mean squared distance from the base model, not weighted; 0 when off
	Anchored     float64 // the same from the Anchor; 0 when off
	Preserved    float64 // the same as Drift on the preserved prompts
	LearningRate float64 // of this update

	// Skipped says that something was not finite, so that the adapter stayed as
	// it was. Fault says what: "picture", "loss" or "gradient". SkippedInAll counts
	// such updates so far. Numbers of a skipped update may be NaN.
	Skipped      bool
	Fault        string
	SkippedInAll int

	// Validated says that Validation, the mean P(answer) over the validation
	// seeds, was measured after this update.
	Validated  bool
	Validation float64
	// Findings are what Judge and Bounds found at this validation; nil without them.
	Findings *Findings

	Elapsed time.Duration // since Distill began, compilation included
}
