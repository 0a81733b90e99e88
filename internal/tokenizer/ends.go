package tokenizer

// Ends returns how many ids Encode puts before and behind those of the text.
func (t *Tokenizer) Ends() (before, behind int) {
	return len(t.post.before), len(t.post.after)
}
