// Package dualprocessgo is the overview of a library that teaches image
// generators with vision-language models. It is documentation only; the code is
// in the packages below.
//
// Tell it in words, and with a picture laid over the image, what you want to see.
// A vision-language model (VLM) looks at what the generator makes and says how
// sure it is of the answer you want. Since both are neural networks, the gradient
// of that answer flows back through the frozen VLM and the frozen image decoder
// into a small adapter (LoRA) of the generator. After at most 100 updates the
// generator alone, in one pass and without the VLM, does what you asked for, with
// seeds and prompts that it never saw. This is dual-process distillation (Luo,
// Granskog, Holynski and Darrell, "Dual-Process Image Generation", 2025).
//
// # Ten lines
//
// With the two small models that the library carries in itself:
//
//	rt, err := backends.Open(ctx, backends.Options{})
//	generator, err := pocketgenerator.Open(ctx, rt, pocketgenerator.Options{})
//	verifier, err := pocketverifier.Open(ctx, rt, pocketverifier.Options{})
//	line := overlay.Solid{Picture: overlay.HorizonLine{Row: 0.3}}
//	questions := []dualprocess.Question{{Text: "Does the horizon lie on the red line?", Answer: "Yes", Overlay: line}}
//	adapter, err := dualprocess.Distill(ctx, dualprocess.Task{
//		Runtime: rt, Generator: generator, Verifier: verifier, Questions: questions,
//		Prompts: []string{"a meadow by day", "a desert by day with a tree", "a sea at sunset", "a snowfield by day with a house"},
//		Adapter: lora.Config{Rank: 8, Init: lora.FanIn}, Weight: 1, LearningRate: 3e-3, Batch: 10, EndStep: 6, Drift: 0.1,
//	})
//	images, err := dualprocess.Sample(ctx, rt, generator, "a sea at night", dualprocess.SampleOptions{Adapter: adapter})
//
// The example of this page is the same with its errors handled, and says how sure
// the verifier is of pictures of unseen prompts and seeds, before and after. To see
// it at work, with progress, a table of before and after, and pictures:
//
//	go run ./examples/horizon
//
// # Where to look
//
//   - [github.com/dualprocess/dualprocess-go/dualprocess] has Distill, Sample and
//     Evaluate, and the interfaces that a generator, a verifier and an overlay
//     have to fulfil. It imports no model.
//   - [github.com/dualprocess/dualprocess-go/generator] and
//     [github.com/dualprocess/dualprocess-go/verifier] open models by their folder:
//     FLUX.2 klein, FLUX.1, Z-Image, SANA-Sprint, Sana and Stable Diffusion;
//     Qwen2.5-VL, Qwen3-VL, Idefics2, LLaVA-1.5, Gemma 3, Pixtral, Ministral 3,
//     SmolVLM2 and Idefics3. Below them is one package per model; pocket are a
//     generator and a VLM that this project trained on scenes of its own drawing,
//     embedded.
//   - [github.com/dualprocess/dualprocess-go/hub] downloads models that are named by
//     their repository.
//   - [github.com/dualprocess/dualprocess-go/overlay] lays a picture over the image
//     before the VLM looks, and draws such pictures.
//   - [github.com/dualprocess/dualprocess-go/lora] has adapters, their files, and
//     merging.
//   - [github.com/dualprocess/dualprocess-go/backends] opens XLA on an NVIDIA card,
//     XLA on the CPU, or pure Go.
//   - The folder examples has one program per kind of control; examples/custom has
//     a generator, a verifier and an overlay of one's own in one file.
package dualprocessgo
