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
//		Prompts:   []string{"a sea at sunset"},
//		Questions: []dualprocess.Question{{Text: "Is the horizon on the red line?", Answer: "Yes", Overlay: line}},
//	}
//	adapter, err := dualprocess.Distill(ctx, task)
//	images, err := dualprocess.Sample(ctx, rt, g, "a snowy field", dualprocess.SampleOptions{Adapter: adapter})
//
// The package knows no model: whatever has the methods of Generator and Verifier
// will do. Its files follow the algorithm: batch.go makes latents, loss.go is the
// graph of one update, distill.go the loop around it; exam.go asks the questions.
//
// # Over-optimisation
//
// P(answer) rises easily on ruined pictures. Three guards cost nothing when they
// are not used: Task.Drift holds the prediction near the base model's,
// Task.Preserve does so on prompts that must not change, and Task.StopAt ends the
// training in time. JudgeHacking compares P(answer) with a measurement of your own.
//
// # Memory and compilation
//
// Everything that changes between updates is an input of the compiled programs:
// step, weight, learning rate, prompts. Nothing recompiles inside a loop. Latents
// between steps, the adapter and its moments stay on the device. An update's
// results are taken only when it has succeeded, and only when they are finite.
package dualprocess
