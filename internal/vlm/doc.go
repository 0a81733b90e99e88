// Package vlm is the frame that the vision-language models share: a vision tower
// whose features take the place of image tokens in the prompt of a causal
// language model, and a prompt that ends where the answer begins.
//
// The folder of a model gives a [Model] (what becomes of a picture's size, the
// prompt, and the graph from pixels to features), its decoder and its tokenizer;
// [Opening] makes of them a [Verifier], which is a dualprocess.Verifier and more.
// The folder writes nothing about answers, gradients, caches or generation.
//
// What is said about a picture is cut after the picture's last token:
//
//	USER: [image] | Is it red? ASSISTANT: Yes
//	    prefix    |          suffix
//
// The prefix depends on the picture alone. It goes through the model once, and
// every question's suffix attends to its keys and values.
//
// Prompts are one small function per model, tested against what transformers makes
// of the checkpoint's chat template. A Jinja library was tried in their place:
// gonja 2.9.1 renders Qwen's, Idefics2's and Pixtral's templates exactly, does not
// know LLaVA's "generation" blocks and cannot parse Gemma 3's.
package vlm
