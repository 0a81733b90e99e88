// Package dualprocess distils what a vision-language model sees into an image
// generator.
//
// A task names prompts, questions with their wanted answers, a generator and a
// verifier. Distill makes pictures, asks the verifier, and sends the gradient of
// its loss, -log P(answer | picture, question), back through the frozen verifier
// and the frozen decoder into a small adapter of the generator. After at most a
// hundred updates the generator alone obeys, on seeds and prompts that it has
// never seen.
//
//	task := dualprocess.Task{
//		Runtime: rt, Generator: g, Verifier: v,
//		Prompts: []string{"a sea at sunset", "a meadow by day"},
//		Questions: []dualprocess.Question{{
//			Text: "Is the horizon on the red line?", Answer: "Yes",
//			Overlay: overlay.Solid{Picture: overlay.HorizonLine{Row: 0.3}},
//		}},
//	}
//	adapter, err := dualprocess.Distill(ctx, task)
//	images, err := dualprocess.Sample(ctx, rt, g, "a snowy field", dualprocess.SampleOptions{Adapter: adapter})
//
// The package knows no model: whatever has the methods of Generator and Verifier
// will do. Models that it has besides are in the folders generator and verifier.
//
// # Adapters
//
// An adapter is saved by its method Save and read by lora.Load, which compares it
// with the Layers of the generator.
//
// # Pictures for many
//
// A service keeps one Sampler for each generator. Its programs are compiled once, for
// all prompts and for all adapters of the same layers, ranks and alphas, and several
// goroutines may ask it at once: what waits is made in batches, different adapters side
// by side. BenchmarkSampler measures it with the pocket generator.
//
// # Several controls at once
//
// Questions may have weights, and may name the prompts that they are for: two
// controls, each with prompts of its own, are trained together into one adapter.
//
// # Over-optimisation
//
// P(answer) rises easily on ruined pictures. The guards cost nothing when they are not
// used. Some hold back: Task.Drift holds the prediction near the base model's,
// Task.Anchor near that of the adapter of some updates ago, Task.Preserve near the base
// model's on prompts that must not change. Others watch StopAt's pictures: Task.Judge is
// a second opinion that gives no gradient, Task.Bounds are for what can be said of
// pictures without knowing what they show. What they find is in Update.Findings;
// Task.StopAt ends the training in time and says which adapter is returned.
// JudgeHacking compares P(answer) with a measurement of your own.
//
// # Memory and compilation
//
// Everything that changes between updates is an input of the compiled programs:
// step, weight, learning rate, prompts, questions, pictures of overlays, guards'
// weights. Programs are kept on the Runtime, as many as it bounds: a second Distill,
// Sample, Evaluate or Score of the same models, sizes and ranks compiles nothing.
// So what the graph methods of a model or an overlay of your own build must follow
// from their arguments and from what never changes; where a model does change,
// Forget its programs. Latents between steps, the adapter and its moments stay on
// the device. Text encoders are let go once the prompts are encoded. An update's
// results are taken only when it has succeeded, and only when they are finite.
//
// # Long trainings
//
// Task.Checkpoint keeps a training on the disk, and Evaluation.Checkpoint the
// pictures and ratings: the same call goes on after a crash, to the same bytes.
// Task.Snapshots shows pictures on the way and may end the training; Status says
// what is being done and what is being compiled.
//
// # Goroutines
//
// All functions may be called from several goroutines at once on one Runtime, with
// the same models or others: programs take turns on the device. A Task, an
// Evaluation and their callbacks belong to their call. Adapters never change. A Sampler
// is there to be shared.
//
// # Errors
//
// What a caller got wrong is an error that wraps ErrTask, names the field, and comes
// before any work where that is possible: the memory that pictures and adapters
// take is only known when the generator has been looked at. Words that a model does
// not know are ErrPrompt, numbers that are none ErrNotFinite. Panics of graph
// methods become errors. Other errors are the context's and the models' own.
package dualprocess
