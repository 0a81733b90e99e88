// Package tokenizer turns text into token ids and back, from the files that Hugging Face checkpoints carry, with
// the ids that Hugging Face's own library gives on any UTF-8 text.
//
// [Open] reads a folder. A tokenizer.json is a description of a pipeline, which is run as it stands:
//
//	text -> added tokens cut out -> normalizer -> pre_tokenizer -> model -> post_processor -> ids
//
// Each stretch of text between added tokens goes through the middle of the pipeline by itself, which is why
// "<image>\n" of a sentencepiece model begins its second stretch with a "▁" of its own.
//
// Every component type, and every field of it, is known here or refused with an error that names its place in
// the file: a setting that is silently ignored is a wrong id, and a wrong id is a model that quietly gets worse.
//
// Tokenizer files are untrusted. Sizes are bounded, and the work on a text of n bytes is O(n log n) for every model.
// Regular expressions run on Go's engine, which never backtracks: the published ones take time in proportion to the
// text, and the worst one in proportion to its square. A [Tokenizer] does not change after Open and may be used by
// many goroutines.
package tokenizer
