package tokenizer

// Affixes returns the ids that Encode puts before and after those of a text (<s>, </s>), for callers who encode
// in parts.
func (t *Tokenizer) Affixes() (before, after []int) { return t.post.before, t.post.after }
